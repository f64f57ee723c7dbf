"""Expiry of items that were read through an index without their expiry attribute: the table is asked for it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Final

from isthmus.operations import Paged
from isthmus.values import Item
from isthmus.writes import visible
from isthmus_dynamodb.native import Json, Request
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.projections import projection_text
from isthmus_dynamodb.values import decode_item, encode_item
from isthmus_dynamodb.waiting import pause, pauses

_GETS: Final = 100
_Identity = tuple[Any, ...]


def unexpired(operation: Paged, native_name: str, items: list[Item], now: float) -> Generator[Any, Any, list[Item]]:
    """Those of the items that are still in the table and have not expired."""
    alive: set[_Identity] = set()
    for start in range(0, len(items), _GETS):
        keys = {_identity(operation, item): item for item in items[start : start + _GETS]}
        for found in (yield from _expiries(operation, native_name, keys.values())):
            if visible(operation.table, found, now) is not None:
                alive.add(_identity(operation, found))
    return [item for item in items if _identity(operation, item) in alive]


def _expiries(operation: Paged, native_name: str, items: Iterable[Item]) -> Generator[Any, Any, list[Item]]:
    """The key and expiry attributes of items, as the table holds them."""
    table, placeholders = operation.table, Placeholders()
    names = [(name,) for name in (*table.key_names, table.ttl) if name is not None]
    options: Json = {"ProjectionExpression": projection_text(names, placeholders), **placeholders.parameters()}
    waiting = [encode_item(table.key_of(item)) for item in items]
    found: list[Item] = []
    for seconds in pauses():
        answer = yield Request("BatchGetItem", {"RequestItems": {native_name: {"Keys": waiting, **options}}})
        found += map(decode_item, answer["Responses"].get(native_name, ()))
        waiting = answer.get("UnprocessedKeys", {}).get(native_name, {}).get("Keys", [])
        if not waiting:
            break
        yield from pause(operation, seconds)
    return found


def _identity(operation: Paged, item: Item) -> _Identity:
    return tuple([item[name] for name in operation.table.key_names])
