"""The class that groups the DAL classes of a code base. ``async_dal.py`` has the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from isthmus.dal.dal_base_class import DalBaseClass
from isthmus.dal.holding import Holding, Source
from isthmus.dal.members import Group, members_of
from isthmus.dal.sources import not_open
from isthmus.database import Database


class Dal(Holding, Group):
    """DAL classes over one database: ``class Shop(Dal): orders: Orders; customers: Customers``.

    The members are made when the database is opened, and gone when it is closed. A member may be a ``Dal`` too.

    :param source: an open database, which stays open; else what ``connect`` takes, a URL say, or a function that opens
        a database. Without it the environment and ``isthmus.toml`` say which one
    :param options: of ``connect``: ``config_file``, ``timeout``, ``plugins``, sections
    :raises InvalidArgument: the class has no members, or two with one discriminator
    """

    def __init__(self, source: Source = None, /, **options: Any) -> None:
        self._members = members_of(type(self), (DalBaseClass, Dal))
        super().__init__(source, **options)

    if not TYPE_CHECKING:  # which would believe in any attribute

        def __getattr__(self, name: str) -> object:
            if name in vars(self).get("_members", ()):
                raise not_open(self, self._closed)
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _attach(self, database: Database) -> None:
        joined = {
            name: held.within(database) if isinstance(held := vars(self).get(name), Holding) else kind(database)
            for name, kind in self._members.items()
        }
        super()._attach(database)
        vars(self).update(joined)

    def _detach(self) -> None:
        super()._detach()
        for name in self._members:
            vars(self).pop(name, None)

    def ensure(self, *, timeout: float | None = None) -> Self:
        """Create the tables of all members, unless they exist as declared.

        :raises SchemaMismatch: one exists with another definition
        """
        self.database  # noqa: B018  # refuses where it is not open
        for name in self._members:
            getattr(self, name).ensure(timeout=timeout)
        return self
