"""Units and slices on every backend: each item once, also where others write meanwhile."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from attrs import define

import isthmus
from isthmus import BoundTable
from isthmus.errors import InvalidCursor
from isthmus.slices import BackendReader, CountedSegments, Facts, SegmentReader, Slice, SliceReader, slice_reader
from isthmus.values import Item
from tests.slices.reading import count_all, read_all

BACKENDS = {
    "memory": SegmentReader, "sqlite": BackendReader, "mongodb": BackendReader, "mongodb-alone": BackendReader,
    "dynamodb": CountedSegments,
}  # fmt: skip


def _url(backend: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if backend == "memory":
        return "memory://"
    if backend == "sqlite":
        return f"sqlite:///{folder}/slices.db"
    if backend == "dynamodb":
        return str(request.getfixturevalue("dynamodb_url"))
    alone = "mongodb_standalone_url" if backend == "mongodb-alone" else "mongodb_url"
    return urlunsplit(urlsplit(str(request.getfixturevalue(alone)))._replace(path="/isthmus-slices"))


@pytest.fixture(params=BACKENDS, scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend."""
    return str(request.param)


@pytest.fixture(scope="module")
def database(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[isthmus.Database]:
    """A database of each backend."""
    with isthmus.connect(_url(backend, request, tmp_path_factory.mktemp("slices")), clock=CLOCK) as opened:
        yield opened


@define
class Clock:
    """A clock that tests move on.

    :ivar ahead: seconds
    """

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


CLOCK = Clock()


@pytest.fixture
def table(database: isthmus.Database) -> Iterator[BoundTable]:
    """An empty table whose items can expire."""
    name = f"slices-{os.getpid()}"
    made = database.table(name, partition_key="place", sort_key=("n", int), ttl="gone").ensure()
    yield made
    made.drop()


def _item(number: int) -> Item:
    return {"place": f"p{number % 7}", "n": number, "text": "x" * (number % 50)}


def _filled(table: BoundTable, count: int) -> set[tuple[str, int]]:
    table.put_many([_item(number) for number in range(count)]).raise_for_failures()
    return {(f"p{number % 7}", number) for number in range(count)}


def test_each_backend_has_its_reader(backend: str, table: BoundTable) -> None:
    """A better one than segments where the plugin offers it."""
    assert type(slice_reader(table.database, table.schema)) is BACKENDS[backend]


@pytest.mark.parametrize(("wanted", "items", "size"), [(1, 1000, 8_000_000), (4, 7, 8_000_000), (9, 50, 200)])
def test_units_together_hold_each_item_once(table: BoundTable, wanted: int, items: int, size: int) -> None:
    """Each slice by a reader of its own, and none with more than was asked for."""
    stored = _filled(table, 150)
    found = read_all(table.database, table.schema, wanted=wanted, items=items, size=size, chance=random.Random(wanted))
    assert found.items == dict.fromkeys(stored, 1)
    assert (found.units <= wanted, found.unreadable, found.largest <= items) == (True, [], True)
    assert found.slices > (3 if size == 200 else 150 // items)


def test_what_a_store_says_of_a_table_is_about_right(backend: str, table: BoundTable) -> None:
    """Where it keeps count; the memory backend does not."""
    _filled(table, 150)
    facts = slice_reader(table.database, table.schema).facts()
    if backend == "memory":
        assert facts == Facts()
        return
    assert facts.items == 150
    assert facts.size is None if backend == "sqlite" else 5_000 < (facts.size or 0) < 50_000


def test_an_empty_table_has_a_unit_without_items(table: BoundTable) -> None:
    """So that what is written after the division is read."""
    reader = slice_reader(table.database, table.schema)
    units = reader.units(5)
    table.put_many([_item(number) for number in range(20)]).raise_for_failures()
    assert sum(len(_whole(reader, unit)) for unit in units) == 20


def _whole(reader: SliceReader, unit: str) -> list[Item]:
    found = reader.read(unit, None, items=100)
    assert found.cursor is None
    return list(found.items)


@pytest.mark.parametrize("seed", range(3))
def test_writes_meanwhile_hide_no_other_item(table: BoundTable, seed: int) -> None:
    """Items come and go between slices, those at which slices ended too; what stays is read once."""
    chance = random.Random(seed)
    numbers = list(range(120))
    _filled(table, 120)
    staying = {number for number in numbers if number % 3}

    def others(found: Slice) -> None:
        last = [int(str(item["n"])) for item in found.items[-1:]]
        for number in (chance.choice(numbers), *last):
            if number not in staying:
                table.delete(place=f"p{number % 7}", n=number)
        table.put(_item(1_000 + chance.randrange(500)))

    found = read_all(table.database, table.schema, wanted=4, items=5, chance=chance, between=others)
    assert {place: found.items[place] for place in found.items if place[1] in staying} == {
        (f"p{number % 7}", number): 1 for number in staying
    }


def test_a_table_that_grows_as_fast_as_it_is_read_has_an_end(backend: str, table: BoundTable) -> None:
    """In the middle of a unit and behind the last key, whatever was there before the last unit was begun is read."""
    if BACKENDS[backend] is SegmentReader:
        pytest.skip("the reader for any store can't ask which key is the last, and so follows a table that grows")
    there = _filled(table, 60)
    more = itertools.count(1_000)

    def grow(found: Slice) -> None:
        table.put_many([{"place": "p9", "n": next(more)} for _item in found.items]).raise_for_failures()

    found = read_all(table.database, table.schema, wanted=1, items=3, chance=random.Random(0), between=grow)
    assert {place: times for place, times in found.items.items() if place in there} == dict.fromkeys(there, 1)


def test_expired_items_are_absent(table: BoundTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are for scans."""
    soon = int(time.time()) + 3_600
    items = [{**_item(number), "gone": soon + 7_200 * (number % 2 == 0)} for number in range(20)]
    table.put_many(items).raise_for_failures()
    monkeypatch.setattr(CLOCK, "ahead", 7_200)
    found = read_all(table.database, table.schema, wanted=3, items=4, chance=random.Random(0))
    assert found.items == {(f"p{number % 7}", number): 1 for number in range(0, 20, 2)}


@pytest.mark.parametrize(("wanted", "items"), [(1, 1000), (4, 7)])
def test_units_are_counted_without_what_has_expired(
    table: BoundTable, monkeypatch: pytest.MonkeyPatch, wanted: int, items: int
) -> None:
    """All runs together are as many as reading finds."""
    soon = int(time.time()) + 3_600
    table.put_many([{**_item(number), "gone": soon} for number in range(150, 170)]).raise_for_failures()
    _filled(table, 150)
    assert sum(count_all(table.database, table.schema, wanted=wanted, items=items)) == 170
    monkeypatch.setattr(CLOCK, "ahead", 7_200)
    assert sum(count_all(table.database, table.schema, wanted=wanted, items=items)) == 150


@pytest.mark.parametrize("cursor", ["", "{}", "null"])
def test_damaged_cursors_of_counts_are_refused(table: BoundTable, cursor: str) -> None:
    """As those of slices."""
    _filled(table, 10)
    reader = slice_reader(table.database, table.schema)
    with pytest.raises(InvalidCursor):
        reader.count(reader.units(1)[0], cursor, items=5)


DAMAGES: dict[str, Callable[[str], str]] = {
    "text": lambda text: text + "x",
    "other reader": lambda _text: '{"number": 1}',
    "other type": lambda _text: "[]",
    "other value": lambda text: text.replace("null", "5").replace('"segment": 0', '"segment": -1'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_units_are_refused(table: BoundTable, damage: str) -> None:
    """Nothing is read in place of what was meant."""
    reader = slice_reader(table.database, table.schema)
    (unit,) = reader.units(1)
    with pytest.raises(InvalidCursor):
        reader.read(DAMAGES[damage](unit), None, items=5)


@pytest.mark.parametrize("cursor", [
    "", "[]", "[" * 100_000, '{"after": null}', '{"after": [{"blob": "é"}, 1]}', '{"after_id": "AAAA", "passed": 1}',
    '{"after_id": "é", "passed": 1}',
])  # fmt: skip
def test_damaged_cursors_are_refused(table: BoundTable, cursor: str) -> None:
    """A slice that began anew would be taken for the next one."""
    reader = slice_reader(table.database, table.schema)
    (unit,) = reader.units(1)
    with pytest.raises(InvalidCursor):
        reader.read(unit, cursor, items=5)
