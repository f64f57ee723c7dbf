"""Exports made and read for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from isthmus import Index, Table
from isthmus.results import Unreadable
from isthmus.values import Item
from isthmus_migration.places.base import Part, Receipt
from isthmus_migration.places.exports import ExportPlace, open_export

CITIES = Table("cities", "country", ("id", int), indexes=[Index("by_name", "name")], ttl="gone", version="version")
LOSSLESS = ("jsonl", "dynamodb", "mongodump")


def city(number: int) -> Item:
    """An item with a bit of everything, different for each number."""
    return {
        "country": "CH", "id": number, "name": f"Zürich {number}", "at": Decimal("47.36667"),
        "tags": frozenset({"a", "b"}),
        "sizes": frozenset({1, Decimal("1.5")}), "raw": b"\0\xff", "more": {"list": [1, None, True, {}], "empty": []},
        "_id": "mine", "$set": {"a.b": 1}, "version": 3,
    }  # fmt: skip


def cities(count: int) -> list[Item]:
    """The first cities."""
    return [city(number) for number in range(count)]


def part(sequence: int, unit: str = "cities-00000") -> Part:
    """The part of a slice."""
    return Part(unit, sequence)


def begin(
    folder: Path, form: str, table: Table = CITIES, *, compression: str | None = None, lossy: bool = False
) -> ExportPlace:
    """A new export with one table."""
    place = open_export(folder, format=form, compression=compression, create=True, lossy=lossy)
    place.create(table)
    return place


def write(
    folder: Path, form: str, items: Sequence[Item], *, table: Table = CITIES, run: int = 10,
    compression: str | None = None, lossy: bool = False,
) -> None:  # fmt: skip
    """A finished export of these items, in parts of so many."""
    place = begin(folder, form, table, compression=compression, lossy=lossy)
    parts = [part(number) for number in range((len(items) + run - 1) // run)]
    for number, one in enumerate(parts):
        accepted(place.put_many(table, items[number * run : number * run + run], one))
    place.finish(table, parts)
    place.close()


def accepted(receipt: Receipt) -> None:
    """Hold that nothing was refused."""
    assert not receipt.refusals


def read(
    place: ExportPlace, table: Table = CITIES, *, units: int = 1, items: int = 1000, anew: bool = False
) -> tuple[list[Item], list[Unreadable]]:
    """Everything in a table, slice by slice.

    :param anew: open the export anew for each slice, as another process would
    """
    found: list[Item] = []
    faults: list[Unreadable] = []
    for unit in place.units(table, units):
        cursor: str | None = None
        while True:
            reader = open_export(place.name) if anew else place
            slice_ = reader.read(table, unit, cursor, items=items, size=8_000_000)
            found += slice_.items
            faults += slice_.unreadable
            cursor = slice_.cursor
            if cursor is None:
                break
    return found, faults


def items_of(folder: Path, table: Table = CITIES) -> list[Item]:
    """All items of an export, none of which may be unreadable."""
    with open_export(folder) as place:
        found, faults = read(place, table)
    assert not faults
    return found


def data_file(folder: Path, form: str) -> Path:
    """The first file of items of a finished export."""
    patterns = {"jsonl": "cities/*", "dynamodb": "AWSDynamoDB/*/data/*", "mongodump": "isthmus/cities.bson*"}
    return min(folder.glob(patterns[form]))


def names_of(paths: Iterable[Path]) -> list[str]:
    """The names of files, in order."""
    return sorted(path.name for path in paths)
