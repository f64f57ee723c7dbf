"""What a table needs of the database that shall get it."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.capabilities import Capabilities, Capability, Unsupported
from isthmus.schema import Key, Table

_KEYS = {"number": Capability.NUMBER_KEY, "binary": Capability.BINARY_KEY}


def unmet_needs(capabilities: Capabilities, table: Table, *, created: bool) -> list[str]:
    """Why a database can't hold a table, a sentence for each reason.

    :param created: whether the table is to be created
    """
    found = []
    for capability, what in dict(_needs(table, created=created)).items():
        level = capabilities[capability]
        if isinstance(level, Unsupported):
            found.append(f"table {table.name!r} {what}, and the target has no {capability.value}: {level.reason}")
    return found


def _needs(table: Table, *, created: bool) -> Iterator[tuple[Capability, str]]:
    yield Capability.BATCH_WRITE, "is written in batches"
    if created:
        yield Capability.TABLE_MANAGEMENT, "has to be created"
    if table.ttl is not None:
        yield Capability.TTL, f"has items that expire by {table.ttl!r}"
    if table.indexes:
        yield Capability.SECONDARY_INDEX, f"has the index {table.indexes[0].name!r}"
    for key in _keys(table):
        if key.type in _KEYS:
            yield _KEYS[key.type], f"has the {key.type} key {key.name!r}"


def _keys(table: Table) -> Iterator[Key]:
    yield from table.keys
    for index in table.indexes:
        yield from index.keys
