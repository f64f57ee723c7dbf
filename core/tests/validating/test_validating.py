"""What a validation finds on the memory backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

import isthmus
from isthmus import Index
from isthmus.deviations import Deviation, check_item
from isthmus.errors import InvalidArgument, InvalidCursor, InvalidStoredValue
from isthmus.memory import MemoryBackend
from isthmus.operations import Operation, Scan
from isthmus.results import Page, Result, Unreadable
from isthmus.schema import Table
from isthmus.validating import Validation, avalidate_table, validate_table
from isthmus.values import Item

DECLARED = Table(
    "people",
    "id",
    ("n", int),
    [Index("by_age", ("age", int)), Index("by_tag", ("tag", bytes), "id")],
    ttl="expires",
    version="version",
    created_at="created",
    updated_at="updated",
)
MOMENT = "2026-01-02T03:04:05.000006Z"
GOOD: Item = {"id": "a", "n": 1, "version": 1, "created": MOMENT, "updated": MOMENT}


@pytest.fixture
def backend() -> MemoryBackend:
    """A store that the sync and the async database share."""
    return MemoryBackend()


@pytest.fixture
def table(backend: MemoryBackend) -> Iterator[isthmus.BoundTable]:
    """A table that was stored with its keys alone, so that it may hold anything else."""
    with isthmus.connect(backend) as database:
        yield database.table("people", partition_key="id", sort_key=("n", int)).ensure()


def declared(table: isthmus.BoundTable) -> isthmus.BoundTable:
    """The same table, declared with all its parts."""
    return table.database.table(DECLARED)


@pytest.mark.parametrize(
    ("changes", "kind", "attribute"),
    [
        ({"age": "30"}, "index_key", "age"),
        ({"tag": "text"}, "index_key", "tag"),
        ({"tag": b""}, "index_key", "tag"),
        ({"tag": b"x" * 2_049}, "index_key", "tag"),
        ({"expires": "soon"}, "ttl", "expires"),
        ({"version": "1"}, "version", "version"),
        ({"version": 0}, "version", "version"),
        ({"version": Decimal("1.5")}, "version", "version"),
        ({"created": 5}, "timestamp", "created"),
        ({"updated": "2026-01-02"}, "timestamp", "updated"),
        ({"wide": 10**36 + 1}, "value", "wide"),
        ({"map": {"deep": [10**36 + 1]}}, "value", "map"),
        ({"id": "x" * 2_049}, "key", "id"),
        ({"id": 5}, "key", "id"),
        ({"n": "1"}, "key", "n"),
        ({"__own": 1}, "value", "__own"),
        ({"big": "x" * 409_600}, "size", None),
    ],
)
def test_each_point_of_the_declaration_is_checked(changes: Item, kind: str, attribute: str | None) -> None:
    """One deviation for one fault, with the attribute that it is about."""
    found = list(check_item(DECLARED, {**GOOD, **changes}, isthmus.Limits()))
    assert [(one.kind, one.attribute) for one in found] == [(kind, attribute)]


def test_what_is_missing_is_said() -> None:
    """Versions and timestamps of a declared table are always there; an index key may be missing."""
    found = list(check_item(DECLARED, {"id": "a", "n": 1}, isthmus.Limits()))
    assert [(one.attribute, one.stored) for one in found] == [
        ("version", "missing"), ("created", "missing"), ("updated", "missing"),
    ]  # fmt: skip


def test_nested_too_deep() -> None:
    """One list or map more than the limit."""
    value: Any = 1
    for _level in range(32):
        value = [value]
    found = list(check_item(DECLARED, {**GOOD, "deep": value}, isthmus.Limits()))
    assert [one.kind for one in found] == ["value"]


def test_written_items_have_no_deviation(table: isthmus.BoundTable) -> None:
    """What Isthmus itself writes under the declaration is as declared."""
    table.drop()
    people = table.database.tables.ensure(DECLARED)
    for number in range(30):
        people.put({"id": "a", "n": number, "age": number, "tag": bytes([number])})
    result = validate_table(people, chunk=7)
    assert result == Validation("people", items=30)
    assert result.clean


def test_deviations_carry_the_key_and_no_value(table: isthmus.BoundTable) -> None:
    """The key names the item; a value may be a secret."""
    table.put({"id": "a", "n": 1, "age": "a secret"})
    heard: list[Deviation] = []
    result = validate_table(table.database.table(evolve(DECLARED, version=None, created_at=None, updated_at=None)),
                            found=heard.append)  # fmt: skip
    assert [one.key for one in heard] == [{"id": "a", "n": 1}]
    assert heard == list(result.deviations)
    assert "a secret" not in f"{heard} {heard[0].to_dict()} {result.to_dict()}"


def test_the_result_counts_items_and_kinds(table: isthmus.BoundTable) -> None:
    """Each item once, each deviation by its kind; only as many are kept as were asked for."""
    table.put_many([{**GOOD, "n": number, "version": "x", "expires": "y"} for number in range(5)]).raise_for_failures()
    table.put({**GOOD, "n": 9})
    result = validate_table(declared(table), keep=3)
    assert (result.items, result.deviating, result.kinds) == (6, 5, {"ttl": 5, "version": 5})
    assert len(result.deviations) == 3
    assert not result.clean


def test_a_validation_goes_on_from_its_cursor(table: isthmus.BoundTable) -> None:
    """Several parts come to the same as the whole, and each knows where the next begins."""
    table.put_many([{"id": f"i{number}", "n": 1, "age": "x"} for number in range(25)]).raise_for_failures()
    whole, cursor = validate_table(declared(table), keep=1000), None
    parts: list[Validation] = []
    while not parts or cursor:
        parts.append(validate_table(declared(table), limit=10, after=cursor, chunk=4, keep=1000))
        cursor = parts[-1].cursor
    assert [part.items for part in parts] == [10, 10, 5]
    assert [one for part in parts for one in part.deviations] == list(whole.deviations)


def test_progress_is_the_result_so_far(table: isthmus.BoundTable) -> None:
    """So a validation that was cut off goes on from the last one's cursor."""
    table.put_many([{"id": f"i{number}", "n": 1, "age": "x"} for number in range(10)]).raise_for_failures()
    heard: list[Validation] = []
    result = validate_table(declared(table), chunk=5, progress=heard.append)
    assert ([one.items for one in heard], heard[-1]) == ([5, 10], result)
    rest = validate_table(declared(table), after=heard[0].cursor)
    assert rest.items == 5


def test_the_stores_own_limits(table: isthmus.BoundTable) -> None:
    """A number that is wider than the portable ones is fine where the store holds it."""
    table.put({"id": "a", "n": 1, "wide": 10**36 + 1})
    assert validate_table(table).kinds == {"value": 1}
    assert validate_table(table, limits=table.database.limits).clean


def test_a_further_check_adds_its_points(table: isthmus.BoundTable) -> None:
    """Its deviations get the key of the item too."""
    table.put({"id": "a", "n": 1})
    result = validate_table(table, check=lambda _item: iter([Deviation("model", "no person")]))
    assert [(one.kind, one.key) for one in result.deviations] == [("model", {"id": "a", "n": 1})]


def test_the_async_twin_finds_the_same(backend: MemoryBackend, table: isthmus.BoundTable) -> None:
    """Deviations and counts are equal."""
    table.put_many([{"id": f"i{number}", "n": 1, "age": "x"} for number in range(10)]).raise_for_failures()

    async def validated() -> Validation:
        async with isthmus.aconnect(backend) as database:
            return await avalidate_table(database.table(DECLARED), chunk=3)

    expected = validate_table(declared(table), chunk=3)
    assert expected.deviating == 10
    assert expected == asyncio.run(validated())


@pytest.mark.parametrize("number", [0, -1, True])
def test_wrong_numbers_are_refused(table: isthmus.BoundTable, number: int) -> None:
    """A limit or a chunk of no items means nothing."""
    with pytest.raises(InvalidArgument):
        validate_table(table, limit=number)
    with pytest.raises(InvalidArgument):
        validate_table(table, chunk=number)


def test_the_cursor_of_another_table_is_refused(table: isthmus.BoundTable) -> None:
    """It would begin anywhere."""
    table.put_many([{"id": f"i{number}", "n": 1} for number in range(10)]).raise_for_failures()
    other = table.database.table("others", partition_key="id").ensure()
    with pytest.raises(InvalidCursor):
        validate_table(other, after=validate_table(table, limit=5).cursor)


class Damaged(MemoryBackend):
    """Has an item that it can't read, without a key, on each page; or gives up on its second page."""

    gives_up = False

    def execute(self, operation: Operation) -> Result:
        result = super().execute(operation)
        if not isinstance(operation, Scan) or not isinstance(result, Page):
            return result
        if self.gives_up and operation.start is not None:
            raise InvalidStoredValue("broken")
        return evolve(result, unreadable=(Unreadable(InvalidStoredValue("foreign"), name="_id 5"),))


@pytest.mark.parametrize("gives_up", [False, True])
def test_what_cannot_be_read(gives_up: bool) -> None:
    """Is reported once, by its name in the store; where the backend gives up, the result says why and where."""
    backend = Damaged()
    backend.gives_up = gives_up
    with isthmus.connect(backend) as database:
        table = database.table("people", partition_key="id").ensure()
        table.put_many([{"id": f"i{number}"} for number in range(10)]).raise_for_failures()
        result = validate_table(table, chunk=5)
    assert [(one.kind, one.name, one.message) for one in result.deviations] == [("unreadable", "_id 5", "foreign")]
    assert (result.items, result.stopped) == ((6, "broken") if gives_up else (11, None))
    assert (result.cursor is not None) == gives_up
