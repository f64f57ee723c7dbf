"""What ``save`` leaves alone, and what it takes for stored (rule REP-7)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from threading import Barrier, Thread
from typing import Any, ClassVar
from uuid import UUID

import pytest
from attrs import define, field

import isthmus
from isthmus import Database, Key, Model, Table
from isthmus.errors import ConditionFailed, InvalidArgument, ItemNotFound, VersionConflict


@define
class Card:
    """Paid at once."""

    number: str


@define
class Cash:
    """Paid later."""

    by: str


@define
class Line:
    """Part of a basket."""

    sku: str
    count: int = 1
    parts: list[Line] = field(factory=list)


@define
class Basket:
    """With classes in all places."""

    __isthmus__: ClassVar[Model] = Model("baskets", "id")

    id: str
    note: str | None = None
    first: Line | None = None
    lines: list[Line] = field(factory=list)
    named: dict[str, Line] = field(factory=dict)
    payment: Card | Cash | None = None
    mark: UUID | None = None


STORED: dict[str, Any] = {
    "id": "1",
    "first": {"sku": "a", "more": 1, "parts": [{"sku": "b", "more": 2}]},
    "lines": [{"sku": "a", "count": 1, "more": 3}, {"sku": "b", "count": 1, "more": 4}],
    "named": {"x": {"sku": "a", "more": 5}},
    "payment": {"number": "7", "_type": "Card", "more": 6},
    "mark": "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
}


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty one."""
    with isthmus.connect("memory://") as opened:
        yield opened


def stored(database: Database) -> Any:
    """The item as it is stored."""
    return database.repository(Basket).table.get(id="1")


@pytest.fixture
def basket(database: Database) -> Basket:
    """Written by a program that knows more."""
    baskets = database.repository(Basket).ensure()
    baskets.table.put(STORED)
    return baskets.get("1")


def test_nested_attributes_that_nobody_knows_stay(database: Database, basket: Basket) -> None:
    """A field that did not change is not sent, whatever else and in whatever form it holds it."""
    basket.note = "new"
    database.repository(Basket).save(basket)
    assert stored(database) == {**STORED, "note": "new"}


def test_changes_inside_keep_what_lies_beside_them(database: Database, basket: Basket) -> None:
    """In maps, and in members of lists that were moved or changed in their place."""
    assert basket.first is not None
    assert isinstance(basket.payment, Card)
    basket.first.parts[0].count = 9
    basket.named["x"].count = 9
    basket.named["y"] = Line("y")
    basket.payment.number = "8"
    basket.lines.insert(0, Line("c"))
    baskets = database.repository(Basket)
    baskets.save(basket)
    basket.lines[1].count = 9
    baskets.save(basket)
    found = stored(database)
    assert found["first"]["more"] == 1
    assert found["first"]["parts"] == [{"sku": "b", "more": 2, "count": 9, "parts": []}]
    assert found["named"]["x"] == {"sku": "a", "more": 5, "count": 9, "parts": []}
    assert found["payment"] == {"number": "8", "_type": "Card", "more": 6}
    assert [one.get("more") for one in found["lines"]] == [None, 3, 4]
    assert baskets.get("1") == basket


def test_another_class_takes_nothing_over(database: Database, basket: Basket) -> None:
    """Of a union's member that is gone."""
    basket.payment = Cash("Ann")
    database.repository(Basket).save(basket)
    assert stored(database)["payment"] == {"by": "Ann", "_type": "Cash"}


@define
class Stamped:
    """Its timestamps do not come back from batches."""

    __isthmus__: ClassVar[Model] = Model("stamped", "id", timestamps=True)

    id: str
    text: str = ""


def test_a_batch_is_not_forgotten(database: Database) -> None:
    """A field that is set back to what was read before the batch is sent."""
    records = database.repository(Stamped).ensure()
    records.create(Stamped("1", "old"))
    found = records.get("1")
    found.text = "new"
    assert records.put_many([found]).failures == ()
    found.text = "old"
    records.save(found)
    assert records.get("1").text == "old"


def test_an_item_that_was_not_read_is_saved_whole(database: Database) -> None:
    """An entity that is made of it is not taken for stored."""
    baskets = database.repository(Basket).ensure()
    baskets.save(baskets.from_item({"id": "7", "note": "n"}))
    assert baskets.get("7").note == "n"


@define
class Lease:
    """In a table that is declared elsewhere."""

    __isthmus__: ClassVar[Model] = Model(Table("leases", Key("id"), ttl="until"), "id")

    id: str
    until: datetime | None = None


def test_the_expiry_of_a_declared_table(database: Database) -> None:
    """Is stored as the table needs it, whether or not the model names it again."""
    leases = database.repository(Lease).ensure()
    leases.put(Lease("1", datetime(2101, 1, 1, tzinfo=UTC)))
    assert leases.table.get(id="1")["until"] == 4133980800
    assert leases.get("1").until == datetime(2101, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidArgument, match="has passed"):
        leases.put(Lease("2", datetime(2001, 1, 1, tzinfo=UTC)))


class Mixed(Enum):
    """Text and a number."""

    TEXT = "a"
    NUMBER = 1


def test_sets_of_several_stored_types_are_refused(database: Database) -> None:
    """No store has them."""

    @define
    class Bag:
        id: str
        marks: set[Mixed]

    with pytest.raises(InvalidArgument, match="'marks' of Bag"):
        database.repository(Bag, model=Model("bags", "id"))


@pytest.fixture
def _hasty() -> Iterator[None]:
    """Threads take turns often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_threads_that_ask_for_a_repository_first(database: Database) -> None:
    """Get one understanding of its class, so that one saves what another one read."""
    for number in range(40):
        model = Model(f"baskets{number}", "id")
        together = Barrier(4)
        found: list[Any] = []

        def ask(model: Model = model, together: Barrier = together, found: list[Any] = found) -> None:
            together.wait()
            found.append(database.repository(Basket, model=model)._mapper.layout)  # what is shared

        threads = [Thread(target=ask) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(found) == 4
        assert len(set(map(id, found))) == 1


def test_an_entity_without_anything_but_its_key(database: Database) -> None:
    """Is written where there is none, and changes one that is there."""

    @define
    class Tag:
        id: str
        note: str | None = None

    tags = database.repository(Tag, model=Model("tags", "id")).ensure()
    tags.save(Tag("1"))
    tags.table.update(id="1", set={"note": "old", "more": 1})
    assert tags.save(Tag("1")) == tags.get("1") == Tag("1")
    assert tags.table.get(id="1") == {"id": "1", "more": 1}


@define
class Plain:
    """Versioned."""

    id: str
    email: str | None = None
    version: int = 0


@pytest.mark.parametrize("unique", [[], ["email"]], ids=["plain", "unique"])
def test_what_is_not_there_fails_alike(database: Database, unique: list[str]) -> None:
    """With and without unique values."""
    records = database.repository(Plain, model=Model("records", "id", version="version", unique=unique)).ensure()
    with pytest.raises(ConditionFailed):
        records.delete("1", when=lambda one: one.email == "a")
    with pytest.raises(VersionConflict):
        records.delete("1", expected_version=3)
    with pytest.raises(ConditionFailed):
        records.update("1", set={"email": "a"}, when=lambda one: one.email == "b")
    with pytest.raises(VersionConflict):
        records.update("1", set={"email": "a"}, expected_version=3)
    with pytest.raises(VersionConflict):
        records.save(Plain("1", "a", 3))
    with pytest.raises(ItemNotFound):
        records.update("1", set={"email": "a"})
    assert records.delete("1") is False
    assert records.delete(records.create(Plain("1", "a"))) is True


@pytest.mark.parametrize("commits", [True, False])
def test_an_entity_that_a_unit_of_work_wrote(database: Database, commits: bool) -> None:
    """Is saved whole after it, whether or not it was read before and the unit was committed."""
    baskets = database.repository(Basket).ensure()
    basket = baskets.create(Basket("1", "old"))
    with suppress(KeyError), database.transaction() as tx:
        basket.note = "new"
        tx.repository(Basket).save(basket)
        if not commits:
            raise KeyError
    assert baskets.get("1").note == ("new" if commits else "old")
    for note in ("old", "new"):
        basket.note = note
        baskets.save(basket)
        assert baskets.get("1").note == note
