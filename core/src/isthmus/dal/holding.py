"""What a DAL class and a group of them share: they hold a database. ``async_holding.py`` has the same names."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Self, TypeVar

from isthmus.backends import Backend
from isthmus.connecting import connect
from isthmus.dal.sources import check_options, foreign, no_database, not_open
from isthmus.database import Database

R = TypeVar("R")
Source = str | Backend | Database | Callable[[], Database] | None


class Holding:
    """Holds a database: one that is given, or one that it opens and closes itself.

    :param source: an open database, which stays open; else what ``connect`` takes, a URL say, or a function that opens
        a database. Without it the environment and ``isthmus.toml`` say which one
    :param options: of ``connect``: ``config_file``, ``timeout``, ``plugins``, sections
    """

    def __init__(self, source: Source = None, /, **options: Any) -> None:
        check_options(self, source, options, Database)
        self._source = source
        self._options = options
        self._database: Database | None = None
        self._origin: Self | None = None  # what this is a view of
        self._closed = False
        self._opening = threading.Lock()
        if isinstance(source, Database):
            self._attach(source)

    def __repr__(self) -> str:
        held = "not open" if self._database is None else self._database.url
        return f"<{type(self).__name__} {held}>"

    @property
    def database(self) -> Database:
        """The database; inside a transaction the unit of work.

        :raises Closed: it is not open yet, or was closed
        """
        if self._database is None:
            raise not_open(self, self._closed)
        return self._database

    def open(self) -> Self:
        """Open the database, unless it is open.

        :raises ConfigurationError: the configuration names none, or has problems
        """
        with self._opening:
            if self._database is None:
                self._attach_or_close(self._opened())
        return self

    def close(self) -> None:
        """Let go of the database: close it, unless it was given. A second call does nothing."""
        database = self._database
        if database is None:
            return
        self._closed = True
        self._detach()
        if not isinstance(self._source, Database):
            database.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def within(self, unit: Database | Holding, /) -> Self:
        """The same for a unit of work of the database: everything that is called on it is part of that.

        :param unit: what ``database.transaction()`` gives, or another DAL's ``transaction()``; also a view that
            ``database.bind(actor=…)`` gives
        :raises InvalidArgument: it belongs to another database
        """
        database = unit.database if isinstance(unit, Holding) else unit
        if getattr(database, "_pipeline", None) is not self.database._pipeline:  # noqa: SLF001  # the core's own
            raise foreign(self)
        view = copy(self)
        view._origin, view._source = self, database  # noqa: SLF001  # of this class
        view._attach(database)  # noqa: SLF001
        return view

    @contextmanager
    def transaction(self, *, token: str | None = None, timeout: float | None = None) -> Iterator[Self]:
        """The same inside a unit of work: all writes of the ``with`` block are applied at its end, or none.

        What is read is validated at the end; queries and scans are refused. See ``Database.transaction``.

        :param token: 1 to 36 characters; a repetition with this token that asks for the same succeeds without effect
        :param timeout: seconds for everything that is sent
        :raises Conflict: at the end, where an item was changed since it was read: repeat all of it, see
            ``run_transaction``
        :raises TransactionFailed: at the end, where an action failed for another reason
        """
        with self.database.transaction(token=token, timeout=timeout) as unit:
            yield self.within(unit)

    def run_transaction(self, function: Callable[[Self], R], *, attempts: int = 5, deadline: float | None = None) -> R:
        """Run ``function(tx)`` in a unit of work, again when other writers were in the way; what it returned.

        ``tx`` is the same as here, inside the unit of work. See ``Database.run_transaction``.

        :param attempts: how often the function may be run
        :param deadline: seconds for all of it
        :raises Conflict: others were in the way each time
        :raises DeadlineExceeded: there was no time for another attempt
        """
        return self.database.run_transaction(
            lambda unit: function(self.within(unit)), attempts=attempts, deadline=deadline
        )

    @abstractmethod
    def _attach(self, database: Database) -> None:
        """Take a database that is open."""
        self._database = database

    def _detach(self) -> None:
        self._database = None

    def _attach_or_close(self, database: Database) -> None:
        try:
            self._attach(database)
        except BaseException:
            self._detach()
            if database is not self._source:
                database.close()
            raise

    def _opened(self) -> Database:
        source = self._source
        if source is None or isinstance(source, (str, Backend)):
            return connect(source, **self._options)
        database: object = source() if callable(source) else source
        if not isinstance(database, Database):
            raise no_database(self, database)
        return database
