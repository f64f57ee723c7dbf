"""Items at the borders of what stores hold: some cut from real data, some made up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from isthmus.schema import Key, Table
from isthmus.values import Item, item_size
from tests.migration.datasets import TWICE, cities

EDGES: Final = Table("edges", Key("id"))
ITEM_BYTES: Final = 409_600
"""The size of the largest item."""

MANY_NAMES: Final = 281184
"""The city with the most other names, 267 of them."""


def portable_edges() -> dict[str, Item]:
    """Items that every store holds, by their key."""
    nulls: Item = {"name": "Nowhere", "capital": None, "languages": [None, "en"], "border": {"with": None}}
    values: dict[str, Item] = {
        "34 digits": {"value": Decimal("12345678901234567890.12345678901234"), "negative": -(10**34) + 1},
        "smallest": {"value": Decimal("1E-130"), "negative": Decimal("-1E-130")},
        "largest": {"value": 10**126 - 10**92},
        "empty": {"map": {}, "list": [], "text": "", "binary": b"", "deep": [[], {}, [{}]]},
        "null": nulls,
        "missing": {name: value for name, value in nulls.items() if value is not None},
        "binary": {"value": bytes(range(256)), "set": frozenset({b"\x00", b"", b"\xff"})},
        "sets": {"texts": frozenset({"", "a", "é"}), "numbers": frozenset({0, Decimal("-0.5"), 10**30})},
        "booleans": {"list": [True, 1, False, 0, "1"], "map": {"true": True, "one": 1}},
        "names": {"$set": 1, "a.b": {"$ref": 2}, "_id": "mine", "é ": {"0": 1}},
        "texts": {"value": "\u0000\U0001f600e\u0301\u00e9", "line": "a\r\nb"},
        "deep": {"value": _nested(31)},
    }
    return {name: {"id": name, **item} for name, item in values.items()} | {"full": sized("full", ITEM_BYTES)}


def wide_edges() -> dict[str, Item]:
    """Numbers of more digits than MongoDB keeps."""
    values: dict[str, Item] = {
        "38 digits": {"value": Decimal("1234567890123456789012345678901234.5678")},
        "38 nines": {"value": 10**38 - 1},
        "35 digits deep": {"list": [{"value": Decimal("0." + "1" * 35)}]},
    }
    return {name: {"id": name, **item} for name, item in values.items()}


def sized(key: str, size: int) -> Item:
    """An item of exactly that many bytes."""
    item: Item = {"id": key, "filler": ""}
    return {**item, "filler": "x" * (size - item_size(item))}


def edge_cities() -> dict[str, Item]:
    """A city without other names, one that lists a name twice, and the one with the most names."""
    found = {int(str(city["id"])): city for city in cities("cities15000")}
    nameless = next(city for city in found.values() if city["alternatenames"] == [""])
    return {"nameless": nameless, "twice": found[min(TWICE & found.keys())], "many": found[MANY_NAMES]}


def _nested(levels: int) -> Any:
    return "core" if not levels else [_nested(levels - 1)] if levels % 2 else {"in": _nested(levels - 1)}
