"""Tables in the service's own words: what creates one, and what a description says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from isthmus.errors import InvalidArgument, SchemaMismatch
from isthmus.schema import Index, IndexProjection, Key, KeyType, Table
from isthmus_dynamodb.native import Json
from isthmus_dynamodb.table_settings import TableSettings

_LETTERS: Final[Mapping[KeyType, str]] = {"string": "S", "number": "N", "binary": "B"}
_KEY_TYPES: Final[Mapping[str, KeyType]] = {letter: kind for kind, letter in _LETTERS.items()}
FACTS: Final = ("ttl", "version", "created_at", "updated_at")
"""The parts of a declaration that no description has."""
NOTHING: Final[Mapping[str, str]] = {}
_GLOBAL, _LOCAL = "GlobalSecondaryIndexes", "LocalSecondaryIndexes"


def creation(table: Table, native_name: str, settings: TableSettings) -> Json:
    """The parameters of ``CreateTable``.

    :raises InvalidArgument: an index that is to be local can't be one
    """
    local = [index for index in table.indexes if settings.is_local(table, index)]
    others = [index for index in table.indexes if index not in local]
    keys = dict.fromkeys((*table.keys, *(key for index in table.indexes for key in index.keys)))
    parameters = {
        "TableName": native_name,
        "KeySchema": _key_schema(table.keys),
        "AttributeDefinitions": [{"AttributeName": key.name, "AttributeType": _LETTERS[key.type]} for key in keys],
        **settings.capacity(),
    }
    if others:
        parameters[_GLOBAL] = [{**_index(index), **settings.index_capacity()} for index in others]
    if local:
        parameters[_LOCAL] = [_index(index) for index in local]
    return parameters


def _key_schema(keys: Iterable[Key]) -> list[Json]:
    return [{"AttributeName": key.name, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


def _index(index: Index) -> Json:
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.keys),
        "Projection": _projection(index.projection),
    }


def _projection(projection: IndexProjection) -> Json:
    if projection == "all":
        return {"ProjectionType": "ALL"}
    if projection == "keys" or not projection:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(dict.fromkeys(projection))}


def described_table(name: str, description: Mapping[str, Any], facts: Mapping[str, str] = NOTHING) -> Table:
    """A table from its description.

    Indexes that can't be declared, because their names or keys are of a kind that Isthmus does not have, are left out.

    :param facts: what a description does not say: attributes for ``ttl``, ``version``, ``created_at``, ``updated_at``
    :raises SchemaMismatch: the table itself can't be declared
    """
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in description["AttributeDefinitions"]}
    try:
        indexes = [index for entry in _index_entries(description) for index in _described_index(entry, types)]
        return Table(name, *_described_keys(description["KeySchema"], types), indexes, *map(facts.get, FACTS))
    except InvalidArgument as error:
        raise SchemaMismatch(f"table {name!r} can't be opened: {error.message}") from error


def _index_entries(description: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*description.get(_GLOBAL, ()), *description.get(_LOCAL, ())]


def _described_keys(schema: Iterable[Mapping[str, str]], types: Mapping[str, str]) -> tuple[Key, Key | None]:
    keys = {
        entry["KeyType"]: Key(entry["AttributeName"], _KEY_TYPES[types[entry["AttributeName"]]]) for entry in schema
    }
    return keys["HASH"], keys.get("RANGE")


def _described_index(entry: Mapping[str, Any], types: Mapping[str, str]) -> list[Index]:
    schema = entry["KeySchema"]
    if sorted(part["KeyType"] for part in schema) not in (["HASH"], ["HASH", "RANGE"]):
        return []
    projection = _described_projection(entry["Projection"])
    try:
        return [Index(entry["IndexName"], *_described_keys(schema, types), projection)]
    except InvalidArgument:
        return []


def _described_projection(projection: Mapping[str, Any]) -> IndexProjection:
    kind = projection.get("ProjectionType", "ALL")
    if kind == "INCLUDE":
        return tuple(projection["NonKeyAttributes"])
    return "keys" if kind == "KEYS_ONLY" else "all"


def building_indexes(description: Mapping[str, Any]) -> frozenset[str]:
    """The names of indexes that can't be read yet."""
    entries = description.get(_GLOBAL, ())
    return frozenset(entry["IndexName"] for entry in entries if entry.get("IndexStatus", "ACTIVE") == "CREATING")
