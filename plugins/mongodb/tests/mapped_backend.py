"""A backend for the kit whose tables are mapped collections: creating one makes a collection as somebody else would."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve

from isthmus import BackendConfig
from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Clock
from isthmus.errors import AlreadyExists
from isthmus.schema import Index, Table
from isthmus_mongodb.backend import MongoDBBackend
from isthmus_mongodb.mapped_tables import MappedTables
from isthmus_mongodb.mappings import CollectionMapping, read_mapping
from isthmus_mongodb.native import Call, Command
from isthmus_mongodb.options import read_options


def mapping_of(table: Table) -> CollectionMapping:
    """The key as ``_id``, or as two fields at the top."""
    whole = table.sort_key is None
    parts = [{"field": "_id" if whole else key.name, "name": key.name, "type": key.type} for key in table.keys]
    found = read_mapping(
        table.name,
        {
            "partition_key": parts[0],
            **({} if whole else {"sort_key": parts[1]}),
            "indexes": {index.name: _index(index) for index in table.indexes},
            "ttl": table.ttl,
            "version": table.version,
        },
    )
    return evolve(found, table=table)


def _index(index: Index) -> dict[str, Any]:
    names = ("partition_key", "sort_key")
    return {name: {"name": key.name, "type": key.type} for name, key in zip(names, index.keys, strict=False)}


def _has_binary_sort_key(table: Table) -> bool:
    """Mappings refuse those, so such a table is one of Isthmus's own."""
    return any(
        key is not None and key.type == "binary" for key in (table.sort_key, *(i.sort_key for i in table.indexes))
    )


class MappedBackend(MongoDBBackend):
    """Creates and drops mapped collections, which the backend itself never does."""

    def __init__(self, config: BackendConfig) -> None:
        super().__init__(read_options(config.url, config.options), config.clock)
        self.known: dict[str, CollectionMapping] = {}

    def plan(self, operation: op.Operation) -> Generator[Any, Any, Any]:
        if isinstance(operation, op.CreateTable) and not _has_binary_sort_key(operation.table):
            return self._create(operation.table)
        if isinstance(operation, op.DropTable) and operation.name in self.known:
            return self._drop(operation.name)
        return super().plan(operation)

    def _map(self) -> None:
        self.mapped = MappedTables(self.known, self.limits, self.clock)

    def _create(self, table: Table) -> Generator[Any, Any, Any]:
        if table.name in self.known:
            raise AlreadyExists(f"table {table.name!r} exists already")
        mapping = mapping_of(table)
        yield Command({"create": table.name})
        if mapping.shape == "fields":
            keys = [(key.field, 1) for key in mapping.keys]
            yield Call(table.name, "create_index", (keys,), {"unique": True})
        for index in table.indexes:
            yield Call(table.name, "create_index", ([(key.name, 1) for key in index.keys],))
        self.known[table.name] = mapping
        self._map()
        return res.TableResult(table)

    def _drop(self, name: str) -> Generator[Any, Any, Any]:
        yield Command({"drop": name})
        del self.known[name]
        self._map()
        return res.DropResult()


def open_mapped(url: str, clock: Clock) -> MappedBackend:
    """A backend by whose clock items expire."""
    parts = urlsplit(url)
    return MappedBackend(BackendConfig(parts._replace(query=""), clock, dict(parse_qsl(parts.query))))
