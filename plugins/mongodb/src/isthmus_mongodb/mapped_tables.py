"""Mapped collections as tables: found by name, verified before they are used, never created, changed or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from attrs import frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus.capabilities import Limits
from isthmus.errors import InvalidArgument, SchemaMismatch, TableNotFound
from isthmus.schema import Index, Table
from isthmus_mongodb.catalogue import CATALOGUE, collection_problem, mismatch
from isthmus_mongodb.mappings import ID, CollectionMapping, MappedKey
from isthmus_mongodb.native import Call, Command

Plan = Generator[Any, Any, Any]

# How long a collection that was verified is believed to be so, seconds.
_BELIEVED = 10.0


@frozen
class Mapped:
    """A mapped table that was verified.

    :param clock: seconds since the epoch, by which items expire
    """

    mapping: CollectionMapping
    limits: Limits
    clock: Callable[[], float]

    @property
    def collection(self) -> str:
        """The collection of its items."""
        return self.mapping.collection

    @property
    def table(self) -> Table:
        """The table as programs see it."""
        return self.mapping.table


class MappedTables:
    """All mapped tables of a backend by name."""

    def __init__(self, mappings: Mapping[str, CollectionMapping], limits: Limits, clock: Callable[[], float]) -> None:
        self._tables = {name: Mapped(mapping, limits, clock) for name, mapping in mappings.items()}
        self._verified: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def __bool__(self) -> bool:
        return bool(self._tables)

    def find(self, table: Table) -> Generator[Any, Any, Mapped]:
        """A declared table.

        :raises TableNotFound: the collection is not there
        :raises SchemaMismatch: it is declared with another key, or the collection is not as the mapping says
        """
        mapped = self._tables[table.name]
        if mapped.table is not table and mapped.table.keys != table.keys:
            raise mismatch(f"table {table.name!r} is mapped with another key", table, mapped.table)
        if self._verified.get(table.name, 0.0) <= time.monotonic():
            yield from self.verify(table.name)
        return mapped

    def verify(self, name: str) -> Generator[Any, Any, Mapped]:
        """A table after a look at its collection and indexes.

        :raises TableNotFound: the collection is not there
        :raises SchemaMismatch: the collection is not as the mapping says
        """
        mapped = self._tables[name]
        yield from _check(mapped)
        self._verified[name] = time.monotonic() + _BELIEVED
        return mapped

    # ---- plans ----

    def create(self, operation: op.CreateTable) -> Plan:
        """Create nothing: say what is wrong, or that the table is there.

        :raises InvalidArgument: it is there
        """
        yield from self.verify(operation.table.name)
        raise InvalidArgument(
            f"table {operation.table.name!r} is a mapped collection, which Isthmus does not create: use ensure()"
        )

    def describe(self, operation: op.DescribeTable) -> Plan:
        """The table as the mapping declares it, after its collection was looked at."""
        mapped = yield from self.verify(operation.name)
        return res.TableResult(mapped.table)

    def drop(self, operation: op.DropTable) -> Plan:
        """Refuse it.

        :raises InvalidArgument: always
        """
        yield from ()
        raise InvalidArgument(
            f"table {operation.name!r} is a mapped collection, which Isthmus did not create and does not drop: drop it"
            " with MongoDB's own tools"
        )

    def names(self) -> Generator[Any, Any, list[str]]:
        """The mapped tables whose collections exist."""
        wanted = sorted({mapped.collection for mapped in self._tables.values()})
        answer = yield Command({"listCollections": 1, "nameOnly": True, "filter": {"name": {"$in": wanted}}})
        there = {found["name"] for found in answer["cursor"]["firstBatch"]}
        return [name for name, mapped in self._tables.items() if mapped.collection in there]


# ---- verification ----


def _check(mapped: Mapped) -> Generator[Any, Any, None]:
    collection, name = mapped.collection, mapped.table.name
    answer = yield Command({"listCollections": 1, "filter": {"name": collection}})
    found = answer["cursor"]["firstBatch"]
    if not found:
        raise TableNotFound(
            f"the collection {collection!r}, which the mapping of table {name!r} names, does not exist: correct it"
        )
    problem = collection_problem(found[0])
    if not problem and (yield Call(CATALOGUE, "find_one", ({"_id": collection}, {"_id": 1}))) is not None:
        problem = "is a table of Isthmus: use it without a mapping"
    if problem:
        raise SchemaMismatch(f"collection {collection!r} {problem}", differences=[problem])
    indexes = yield Call(collection, "list_indexes")
    problems = list(_index_problems(mapped.mapping, indexes))
    if problems:
        raise SchemaMismatch(
            f"collection {collection!r} is not as its mapping says: {'; '.join(problems)}", differences=problems
        )


def _index_problems(mapping: CollectionMapping, indexes: list[Any]) -> Generator[str, None, None]:
    usable = [index for index in indexes if "collation" not in index and not index.get("hidden")]
    keys = tuple(key.field for key in mapping.keys)
    if mapping.shape == "fields":
        if not any(_is_unique(index, keys) for index in usable):
            yield f"no unique index covers the key: create {_command(keys, unique=True)}"
        elif not any(_serves(index, keys) for index in usable):
            yield f"no index serves the key: create {_command(keys)}"
    for declared in mapping.table.indexes:
        fields = tuple(key.field for key in index_keys(mapping, declared))
        if not any(_serves(index, fields) for index in usable):
            yield f"no index serves {declared.name!r}: create {_command(fields)}"
    ttl = mapping.table.ttl
    node = None if ttl is None else mapping.tree.children.get(ttl)
    if ttl is not None and node is not None and node.kind == "expiry" and not _expires(usable, ttl):
        yield f"no index lets documents expire at {ttl!r}: create {_command((ttl,))} with expireAfterSeconds 0"


def _is_unique(index: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    fields = list(index["key"])
    free = "partialFilterExpression" not in index
    return set(fields) <= set(keys) and free and (index.get("unique", False) or fields == [ID])


def _serves(index: Mapping[str, Any], fields: tuple[str, ...]) -> bool:
    """Whether an index finds and orders by these fields; a partial or sparse one may lack documents."""
    first = list(index["key"].items())[: len(fields)]
    whole = "partialFilterExpression" not in index and not index.get("sparse")
    return whole and tuple(name for name, _order in first) == fields and all(order in (1, -1) for _name, order in first)


def _expires(indexes: list[Any], ttl: str) -> bool:
    return any(list(index["key"]) == [ttl] and index.get("expireAfterSeconds") == 0 for index in indexes)


def _command(fields: tuple[str, ...], *, unique: bool = False) -> str:
    keys = ", ".join(f"{field!r}: 1" for field in fields)
    return f"{'a unique index' if unique else 'an index'} on {{{keys}}}"


def index_keys(mapping: CollectionMapping, index: Index) -> tuple[MappedKey, ...]:
    """The fields of an index's own keys."""
    own = {key.name: key for key in mapping.keys}
    return tuple(own.get(key.name) or _plain_key(mapping, key.name, key.type) for key in index.keys)


def _plain_key(mapping: CollectionMapping, name: str, type_: Any) -> MappedKey:
    node = mapping.tree.children.get(name)
    return MappedKey(name, type_, (name,), None if node is None else node.kind)
