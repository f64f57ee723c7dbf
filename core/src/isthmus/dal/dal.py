"""The class that groups the DAL classes of a code base. ``async_dal.py`` has the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from isthmus.dal.dal_base_class import DalBaseClass
from isthmus.dal.holding import Holding, Source
from isthmus.dal.members import Group, members_of
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
        self._members: dict[str, type[Holding]] = members_of(type(self), (DalBaseClass, Dal))
        super().__init__(source, **options)

    if not TYPE_CHECKING:  # which would believe in any attribute

        def __getattr__(self, name: str) -> object:
            if name not in vars(self).get("_members", ()):
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            vars(self)[name] = found = self._member(name)
            return found

    def _member(self, name: str) -> Holding:
        """One that is used for the first time: a transaction makes only those that it needs."""
        if self._origin is not None:
            origin: Holding = getattr(self._origin, name)
            return origin.within(self.database)
        return self._members[name](self.database)

    def _attach(self, database: Database) -> None:
        super()._attach(database)
        self._forget()
        if self._origin is None:
            for name in self._members:  # what does not fit is refused now
                getattr(self, name)

    def _detach(self) -> None:
        super()._detach()
        self._forget()

    def _forget(self) -> None:
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
