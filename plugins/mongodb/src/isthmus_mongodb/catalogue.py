"""The catalogue: a collection that holds each table's declaration, and what was read from it lately.

What was read is believed for a second. So reads notice that much later that another process dropped or changed a table;
a drop in this process is noticed at once. Writes that could create a collection name the one that they mean, by the
server's id, so that none of them brings a dropped table's collection back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any
from weakref import WeakSet

from attrs import evolve, frozen

from isthmus.capabilities import Limits
from isthmus.errors import (
    ConfigurationError,
    IntegrityError,
    InvalidArgument,
    SchemaMismatch,
    TableNotFound,
)
from isthmus.fallback.records import RECORD_TABLE
from isthmus.schema import Table
from isthmus_mongodb.layouts import Layout, layout_of
from isthmus_mongodb.native import Call, Command, MadeCollection, Shared
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.unique import lacking

CATALOGUE = "isthmus_tables"
TOKENS = "isthmus_tokens"
RECORDS = RECORD_TABLE.name
FORMAT = 1
_RESERVED = "isthmus_"
# How long a definition that was read is believed, seconds.
_BELIEVED = 1.0

Document = Mapping[str, Any]


@frozen
class Stored:
    """A table as it is stored.

    :param made: identifies its creation: a table that is dropped and created anew has another one
    """

    place: Place
    made: Any

    @property
    def layout(self) -> Layout:
        """How its items lie in the collection."""
        return self.place.layout

    @property
    def collection(self) -> str:
        """The collection of its items."""
        return self.place.collection

    @property
    def table(self) -> Table:
        """Its stored definition."""
        return self.place.layout.table


class Catalogue:
    """The stored tables by name.

    :param prefix: stands before the names of all collections
    :param limits: of the backend
    :param clock: seconds since the epoch, by which items expire
    """

    locks = False
    """Whether transactions of the core's fallback may hold items."""

    def __init__(self, prefix: str, limits: Limits, clock: Callable[[], float]) -> None:
        self.prefix = prefix
        self.limits = limits
        self.clock = clock
        self.has_tokens = False
        # With each table the declaration that it was last compared with, and when it has to be read anew.
        self._known: dict[str, tuple[Table, Stored, float]] = {}
        _CATALOGUES.add(self)

    def collection(self, name: str) -> str:
        """The collection of a table's items.

        :raises InvalidArgument: the name is one of ours
        """
        if (self.prefix + name).startswith(_RESERVED):
            raise InvalidArgument(f"names that start with {_RESERVED!r} belong to Isthmus: choose another table name")
        return self.prefix + name

    @property
    def records(self) -> str:
        """The collection of the records of transactions that the core runs; each prefix has its own."""
        return f"{RECORDS}_{self.prefix}" if self.prefix else RECORDS

    def recent(self, table: Table) -> Stored | None:
        """A declared table that was read just now and fits, without any I/O."""
        known = self._known.get(table.name)
        if known is not None and known[0] is table and time.monotonic() < known[2]:
            return known[1]
        return None

    def find(self, table: Table) -> Generator[Any, Any, Stored]:
        """A declared table.

        :raises TableNotFound: it is not there
        :raises SchemaMismatch: it is there with other keys, or its collection compares text by a language
        """
        stored, expires = self._believed(table.name) or (yield Shared(lambda: self._renewed(table.name)))
        if stored.table is not table and stored.table.keys != table.keys:
            raise mismatch(f"table {table.name!r} is stored with another key", table, stored.table)
        if lacking(table, stored.table):
            # Another process may have just seen to it. What still lacks is not remembered, so that writes see it.
            self._known.pop(table.name, None)
            stored, expires = yield Shared(lambda: self._renewed(table.name))
            if lacking(table, stored.table):
                lacks: Stored = stored
                return lacks
        if stored.table == table:
            # With the declaration itself inside, comparing them later takes no time.
            stored = evolve(stored, place=evolve(stored.place, layout=layout_of(table)))
        self._known[table.name] = (table, stored, expires)
        return stored

    def _believed(self, name: str) -> tuple[Stored, float] | None:
        known = self._known.get(name)
        return known[1:] if known is not None and time.monotonic() < known[2] else None

    def _renewed(self, name: str) -> Generator[Any, Any, tuple[Stored, float]]:
        believed = self._believed(name)
        if believed is None:
            stored = yield from self._read(name)
            believed = stored, time.monotonic() + _BELIEVED
            self._known[name] = (stored.table, *believed)
        return believed

    def find_all(self, tables: Iterable[Table]) -> Generator[Any, Any, list[Stored]]:
        """Declared tables, each as ``find`` gives it."""
        found: list[Stored] = []
        for table in tables:
            stored = self.recent(table)
            if stored is None:
                stored = yield from self.find(table)
            found.append(stored)
        return found

    def _read(self, name: str) -> Generator[Any, Any, Stored]:
        known = self._known.pop(name, None)
        stored = yield from self.read(name)
        if known is not None and known[1].made == stored.made:
            return evolve(stored, place=evolve(stored.place, collection=known[1].collection))
        collection = yield from check_collection(stored.collection, name)
        return evolve(stored, place=evolve(stored.place, collection=collection))

    def read(self, name: str) -> Generator[Any, Any, Stored]:
        """A table as the catalogue has it now.

        :raises TableNotFound: it is not there
        """
        entry = yield Call(CATALOGUE, "find_one", ({"_id": self.collection(name)},))
        if entry is not None:
            check_prefix(entry, self.prefix, name)
        if entry is None or entry["state"] != "active":
            raise TableNotFound(f"table {name!r} does not exist{(yield from self._hint(name, entry))}")
        return self.stored(entry)

    def _hint(self, name: str, entry: Document | None) -> Generator[Any, Any, str]:
        collection = self.collection(name)
        if entry is None:
            answer = yield Command({"listCollections": 1, "nameOnly": True, "filter": {"name": collection}})
            if answer["cursor"]["firstBatch"]:
                return (
                    f", but the collection {collection!r} does, which Isthmus did not make: declare its key"
                    f' in a mapping, in code mongodb={{"mappings": {{{name!r}: {{"partition_key": "_id"}}}}}}'
                )
        return ": create it with ensure()"

    def stored(self, entry: Document) -> Stored:
        """The table behind an entry.

        :raises IntegrityError: the entry is damaged, or of a later version of Isthmus
        """
        name = entry["_id"]
        if entry.get("format") != FORMAT:
            raise IntegrityError(
                f"collection {name!r} was made by another version of Isthmus: use that one or a later one"
            )
        try:
            table = Table.from_dict(entry["table"])
        except (ConfigurationError, KeyError) as error:
            raise IntegrityError(
                f"the definition of collection {name!r} is damaged: restore it from a backup"
            ) from error
        return Stored(Place(layout_of(table), name, self.limits, self.clock, self.locks), entry["made"])

    def forget(self, name: str) -> None:
        """Read a table anew when it is next used, in every database of this process."""
        for catalogue in list(_CATALOGUES):
            catalogue._known.pop(name, None)  # noqa: SLF001  # its own class

    def forget_all(self) -> None:
        """Read every table anew when it is next used, here."""
        self._known.clear()


_CATALOGUES: WeakSet[Catalogue] = WeakSet()


def check_prefix(entry: Document, prefix: str, name: str) -> None:
    """Refuse the entry of a table whose collection has the wanted name by another prefix.

    :raises SchemaMismatch: naming both
    """
    if entry["prefix"] != prefix:
        problem = f"belongs to the prefix {entry['prefix']!r}, and not to {prefix!r}"
        raise SchemaMismatch(
            f"the collection of table {name!r}, {entry['_id']!r}, {problem}: choose another name or prefix",
            differences=[problem],
        )


def check_collection(collection: str, name: str) -> Generator[Any, Any, MadeCollection]:
    """The collection behind a table, unless it is gone, is none of documents, or compares text by a language.

    The last is rule STR-1.

    :raises TableNotFound: there is no such collection
    :raises SchemaMismatch: it can't hold items
    """
    answer = yield Command({"listCollections": 1, "filter": {"name": collection}})
    found = answer["cursor"]["firstBatch"]
    if not found:
        raise TableNotFound(f"the collection {collection!r} of table {name!r} is gone: create it with ensure()")
    problem = collection_problem(found[0])
    if problem:
        raise SchemaMismatch(f"collection {collection!r} {problem}", differences=[problem])
    return MadeCollection(collection, found[0]["info"]["uuid"])


def collection_problem(found: Document) -> str:
    """Why a collection can't hold items, or nothing."""
    options = found.get("options", {})
    if found.get("type", "collection") != "collection":
        return f"is a {found['type']}, not an ordinary collection: choose another table name"
    if "collation" in options:
        return (
            f"has a default collation ({options['collation'].get('locale')}), by which different keys can be equal:"
            " copy its documents into a collection without one"
        )
    return "is capped, so items vanish from it: choose another table name" if options.get("capped") else ""


def mismatch(problem: str, declared: Table, stored: Table) -> SchemaMismatch:
    """The error for a declaration that does not fit what is stored."""
    differences = declared.differences(stored)
    return SchemaMismatch(f"{problem}: {'; '.join(differences)}", differences=differences)
