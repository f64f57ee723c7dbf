"""Every lossless format gives back what was put into it, or refuses it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import Limits, Table
from isthmus.dumps import DumpCodec
from isthmus.values import Item, equal
from isthmus_conformance import strategies
from isthmus_migration.digests import BucketDigest
from isthmus_migration.formats.codecs import DynamoDBCodec, JsonCodec
from isthmus_migration.formats.mongodump_layout import mongodump_format
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import CITIES, LOSSLESS, begin, cities, city, items_of, part, read, write

_WIDE = Limits(number_digits=38)
_KEYED = Table("things", "k", ("s", int))
_JSON, _TYPED = JsonCodec(), DynamoDBCodec(foreign=False)


def _documents() -> DumpCodec:
    return mongodump_format().codec(_KEYED)


def _items(limits: Limits) -> st.SearchStrategy[Item]:
    """Items with any names, those included that begin with two underscores."""
    names = strategies.names() | st.sampled_from(["__op", "__x", "_id", "$set", "%SS", "Item"])
    rest = st.dictionaries(names, strategies.values(limits), max_size=5)
    key = st.fixed_dictionaries({"k": strategies.keys("string"), "s": strategies.numbers(limits)})
    return st.builds(lambda more, own: {**more, **own}, rest, key)


def _same(left: Item, right: Item) -> bool:
    return equal(left, right) and BucketDigest.of([left], ("k", "s")) == BucketDigest.of([right], ("k", "s"))


@settings(max_examples=150, deadline=None)
@given(_items(_WIDE))
def test_lines_of_json_hold_every_item(item: Item) -> None:
    """What a line of the format ``jsonl`` gives back is the item, of 38 digits too."""
    line = _JSON.encode(item)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert _same(_JSON.decode(line[:-1]), item)


@settings(max_examples=150, deadline=None)
@given(_items(_WIDE))
def test_lines_of_dynamodb_hold_every_item(item: Item) -> None:
    """What a line of the format ``dynamodb`` gives back is the item, of 38 digits too."""
    line = _TYPED.encode(item)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert _same(_TYPED.decode(line[:-1]), item)


@settings(max_examples=150, deadline=None)
@given(_items(Limits()).filter(lambda item: "__op" not in item))
def test_documents_hold_every_portable_item(item: Item) -> None:
    """What a document of the format ``mongodump`` gives back is the item."""
    codec = _documents()
    assert _same(codec.decode(codec.encode(item)), item)


def _deep(levels: int) -> Item:
    value: Item = {}
    for _level in range(levels - 1):
        value = {"x": value}
    return value


_EXTREMES: list[Item] = [
    {"n": 10**38 - 1}, {"n": -(10**38 - 1)}, {"n": Decimal("1E-130")}, {"n": int(Decimal("9.99E125"))}, {"n": 0},
    {"s": ""}, {"b": b""}, {"l": []}, {"m": {}}, {"z": None}, {"set": frozenset({""})},
    {"set": frozenset({10**37 + 1, 2})},
    {"deep": _deep(31)}, {"list": [[[[[]]]]]}, {"__x": {"__op": 1}}, {"\u2028": "line\u2028separator\n\r\0"},
]  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "dynamodb"])
def test_what_is_rare_survives(form: str, tmp_path: Path) -> None:
    """The borders of the value model go through files of the formats that hold everything."""
    items = [{**more, "country": "CH", "id": number} for number, more in enumerate(_EXTREMES)]
    write(tmp_path / "export", form, items)
    found = items_of(tmp_path / "export")
    assert len(found) == len(items)
    assert all(equal(left, right) for left, right in zip(found, items, strict=True))


def test_38_digits_are_refused_by_mongodump_alone(tmp_path: Path) -> None:
    """A number without room is refused by its place in the batch, and the others are written."""
    place = begin(tmp_path / "export", "mongodump")
    receipt = place.put_many(CITIES, [city(0), {**city(1), "n": 10**35 + 1}, city(2)], part(0), normal=True)
    place.finish(CITIES, [part(0)])
    assert [(one.position, one.error.code) for one in receipt.refusals] == [(1, "invalid_value")]
    assert "34" in str(receipt.refusals[0].error)
    assert items_of(tmp_path / "export") == [city(0), city(2)]


@pytest.mark.parametrize("name", ["__op", "__exp", "__lk", "__rev", "__tx"])
def test_names_of_hidden_fields_are_refused_by_mongodump(name: str, tmp_path: Path) -> None:
    """An attribute that MongoDB's layout would take for its own is refused, not lost."""
    place = begin(tmp_path / "export", "mongodump")
    receipt = place.put_many(CITIES, [{**city(0), name: "mine"}], part(0))
    assert [one.error.code for one in receipt.refusals] == ["invalid_value"]


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("compression", [None, "none"])
def test_an_export_gives_back_all_items_in_order(form: str, compression: str | None, tmp_path: Path) -> None:
    """Table, items, number and digest of an export are those of what was written."""
    items = cities(45)
    write(tmp_path / "export", form, items, compression=compression)
    with open_export(tmp_path / "export") as place:
        assert place.tables() == [CITIES]
        assert place.facts(CITIES).items == 45
        assert place.digest(CITIES) == BucketDigest.of(items, CITIES.key_names)
    assert items_of(tmp_path / "export") == items


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("compression", [None, "none"])
@pytest.mark.parametrize("anew", [False, True])
def test_slices_resume_anywhere(form: str, compression: str | None, anew: bool, tmp_path: Path) -> None:
    """Slices of any size continue where the former one ended, in another process too, over files and units."""
    items = cities(45)
    write(tmp_path / "export", form, items, compression=compression)
    with open_export(tmp_path / "export") as place:
        assert len(place.units(CITIES, 3)) == 3
        for size in (1, 7, 10, 44):
            assert read(place, units=3, items=size, anew=anew) == (items, [])


@pytest.mark.parametrize("form", LOSSLESS)
def test_an_empty_table_is_a_table(form: str, tmp_path: Path) -> None:
    """A table without items is exported and read."""
    write(tmp_path / "export", form, [])
    assert items_of(tmp_path / "export") == []


@pytest.mark.parametrize("form", LOSSLESS)
def test_items_can_be_looked_up_by_reading(form: str, tmp_path: Path) -> None:
    """A look-up gives items in the order of the keys, and None for missing ones."""
    write(tmp_path / "export", form, cities(25))
    with open_export(tmp_path / "export") as place:
        keys: list[Item] = [{"country": "CH", "id": number} for number in (24, 99, 3)]
        assert place.get_many(CITIES, keys) == [city(24), None, city(3)]
