"""Made-up items for a declared table, the same ones for the same seed."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import define, field

from isthmus.schema import Key, Table
from isthmus.values import Item

FAR_FUTURE: Final = 4_000_000_000
"""When made-up items expire, seconds since the epoch: in 2096."""

_LETTERS: Final = string.ascii_lowercase
_GROUPS: Final = 5
Make = Callable[[random.Random], Any]


def _text(chance: random.Random) -> str:
    return "".join(chance.choices(_LETTERS, k=chance.randint(3, 12)))


_MAKERS: Final[Mapping[type, Make]] = {
    str: _text,
    int: lambda chance: chance.randint(-1_000_000, 1_000_000),
    Decimal: lambda chance: Decimal(chance.randint(-1_000_000, 1_000_000)).scaleb(-2),
    bytes: lambda chance: chance.randbytes(8),
    bool: lambda chance: chance.random() < 0.5,
    list: lambda chance: [_text(chance) for _ in range(chance.randint(0, 3))],
    dict: lambda chance: {_text(chance): _text(chance) for _ in range(chance.randint(0, 3))},
    set: lambda chance: {_text(chance) for _ in range(chance.randint(1, 3))},
}
_OF_KEYS: Final[Mapping[str, type]] = {"string": str, "number": int, "binary": bytes}


@define(eq=False)
class ItemMaker:
    """Makes items with the keys of a table, those of its indexes, and its expiry.

    Keys never come twice. Where there is a sort key, a few partitions share the items. Versions and timestamps are left
    out, because Isthmus maintains them.

    :param table: the declaration
    :param seed: the same seed gives the same items
    :param attributes: further attributes: a type (``str``, ``int``, ``Decimal``, ``bytes``, ``bool``, ``list``,
        ``dict``, ``set``), a function that takes a ``random.Random``, or a value that all items have
    """

    table: Table
    seed: int
    attributes: Mapping[str, Any] = field(factory=dict)
    _chance: random.Random = field(init=False)
    _made: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def one(self, **fixed: Any) -> Item:
        """One more item; ``fixed`` attributes have these values.

        :raises ValueError: an attribute is of a type that nothing is made of
        """
        number, self._made = self._made, self._made + 1
        item: Item = {}
        for name, value in self._wanted().items():
            item[name] = value(self._chance) if callable(value) else value
        item.update(self._keys(number))
        return {**item, **fixed}

    def many(self, count: int, **fixed: Any) -> list[Item]:
        """So many more items."""
        return [self.one(**fixed) for _ in range(count)]

    def _wanted(self) -> dict[str, Any]:
        """A value or its maker for each attribute that is no key of the table."""
        table = self.table
        wanted: dict[str, Any] = {key.name: _OF_KEYS[key.type] for index in table.indexes for key in index.keys}
        for name in (table.version, table.created_at, table.updated_at):
            wanted.pop(name, None)  # type: ignore[arg-type]  # None is no name
        if table.ttl is not None:
            wanted[table.ttl] = FAR_FUTURE
        wanted.update(self.attributes)
        return {name: _maker(value) if isinstance(value, type) else value for name, value in wanted.items()}

    def _keys(self, number: int) -> Item:
        first, *rest = self.table.keys
        if not rest:
            return {first.name: _key(first, number)}
        return {first.name: _key(first, number % _GROUPS), rest[0].name: _key(rest[0], number)}


def _maker(kind: type) -> Make:
    if kind not in _MAKERS:
        known = ", ".join(one.__name__ for one in _MAKERS)
        raise ValueError(f"nothing makes a {kind.__name__}: use {known}, a function that takes a Random, or a value")
    return _MAKERS[kind]


def _key(key: Key, number: int) -> Any:
    if key.type == "number":
        return number
    text = f"{key.name}-{number:06}"
    return text if key.type == "string" else text.encode()
