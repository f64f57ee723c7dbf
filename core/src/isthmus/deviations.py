"""What is wrong with a stored item, measured against its table's declaration and the limits.

No deviation holds a value of an item, except for its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import field, frozen

from isthmus.capabilities import Limits
from isthmus.errors import InvalidKey, InvalidValue
from isthmus.results import Unreadable
from isthmus.schema import Key, Table
from isthmus.types import utc_moment, utc_text
from isthmus.values import Item, ValueLimits, item_size, normalise_attributes, normalise_key_value, type_name

DeviationKind = Literal["unreadable", "key", "index_key", "ttl", "version", "timestamp", "value", "size", "model"]


@frozen
class Deviation:
    """One point in which a stored item is not what was declared.

    :param key: the item's key attributes, where these can be read
    :param name: what the store calls the item, where they can't
    :param attribute: the attribute or path that it is about; ``None`` where it is about the whole item
    :param stored: the type that is stored, ``"missing"`` where there is nothing
    :param wanted: the type that was declared
    """

    kind: DeviationKind
    message: str
    attribute: str | None = None
    stored: str | None = None
    wanted: str | None = None
    key: Item | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The deviation as portable data; ``isthmus.values.dumps`` writes it as JSON."""
        return {
            "kind": self.kind,
            "key": self.key,
            "name": self.name,
            "attribute": self.attribute,
            "stored": self.stored,
            "wanted": self.wanted,
            "message": self.message,
        }


def unreadable(found: Unreadable) -> Deviation:
    """The deviation of a stored item that is no item at all."""
    return Deviation("unreadable", found.error.message, key=found.key, name=found.name)


def check_item(table: Table, item: Mapping[str, Any], limits: Limits) -> Iterator[Deviation]:
    """What is wrong with an item, apart from its key and name, which the caller knows."""
    yield from _keys(table, item, limits)
    yield from _index_keys(table, item, limits)
    yield from _maintained(table, item)
    yield from _values(item, limits)


def _type(item: Mapping[str, Any], name: str) -> str:
    if name not in item:
        return "missing"
    try:
        return type_name(item[name])
    except InvalidValue:
        return type(item[name]).__name__


def _sizes(limits: Limits) -> tuple[int, int]:
    return limits.partition_key_bytes, limits.sort_key_bytes


def _keys(table: Table, item: Mapping[str, Any], limits: Limits) -> Iterator[Deviation]:
    for key, size in zip(table.keys, _sizes(limits), strict=False):
        yield from _key(key, item, size, limits.number_digits, "key", "a key of the table")


def _index_keys(table: Table, item: Mapping[str, Any], limits: Limits) -> Iterator[Deviation]:
    """An item without a key of an index is not in it, which is no deviation (rule KEY-10)."""
    for index in table.indexes:
        for key, size in zip(index.keys, _sizes(limits), strict=False):
            if key.name in item and key not in table.keys:
                role = f"a key of index {index.name!r}"
                yield from _key(key, item, size, limits.number_digits, "index_key", role)


def _key(
    key: Key, item: Mapping[str, Any], size: int, digits: int, kind: Literal["key", "index_key"], role: str
) -> Iterator[Deviation]:
    stored = _type(item, key.name)
    if stored != key.type:
        yield _other(kind, key.name, role, stored, key.type)
        return
    try:
        normalise_key_value(item[key.name], key.type, size, digits)
    except InvalidKey as error:
        yield Deviation(kind, f"{key.name!r} is {role}: {error.message}", key.name, stored, key.type)


def _other(kind: DeviationKind, name: str, role: str, stored: str, wanted: str) -> Deviation:
    return Deviation(kind, f"{name!r} is {role}: stored is {stored}, declared {wanted}", name, stored, wanted)


def _maintained(table: Table, item: Mapping[str, Any]) -> Iterator[Deviation]:
    if table.ttl is not None and _type(item, table.ttl) not in ("number", "missing"):
        yield _other("ttl", table.ttl, "the expiry time", _type(item, table.ttl), "number")
    if table.version is not None:
        stored, number = _type(item, table.version), item.get(table.version)
        if stored != "number":
            yield _other("version", table.version, "the version", stored, "number")
        elif type(number) is not int or number < 1:
            yield Deviation("version", f"{table.version!r} is the version: it counts from 1", table.version, stored)
    for name in (table.created_at, table.updated_at):
        if name is not None:
            yield from _timestamp(name, item)


def _timestamp(name: str, item: Mapping[str, Any]) -> Iterator[Deviation]:
    stored = _type(item, name)
    if stored != "string":
        yield _other("timestamp", name, "a timestamp", stored, "string")
    elif not _is_moment(item[name]):
        message = f"{name!r} is a timestamp: the text is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ"
        yield Deviation("timestamp", message, name, stored, "string")


def _is_moment(text: str) -> bool:
    try:
        return utc_text(utc_moment(text)) == text
    except InvalidValue:
        return False


def _values(item: Mapping[str, Any], limits: Limits) -> Iterator[Deviation]:
    bounds = ValueLimits(limits.item_bytes, limits.depth, limits.number_digits, limits.name_bytes)
    refused = False
    for name, value in item.items():
        try:
            normalise_attributes({name: value}, bounds, top_level=True)
        except InvalidValue as error:
            refused = True
            yield Deviation("value", error.message, name, _type(item, name))
    size = 0 if refused else item_size(item)
    if size > limits.item_bytes:
        yield Deviation("size", f"the item has {size} bytes, {limits.item_bytes} are allowed: store parts elsewhere")
