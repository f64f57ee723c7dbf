"""Conditions and queries: what a recorded function means, and what keys say about ranges (rules REP-5, REP-11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from core.tests.repository.people import Event, User
from isthmus import Database, F, Index, Model, Repository, Table
from isthmus.errors import InvalidArgument
from isthmus.repository import between, contains, is_in, missing, not_, present, size

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("a", "ab", "b", "a!")
MOMENTS = [START + timedelta(hours=number) for number in range(4)]
EVENTS = [Event("r", kind, at, number) for number, kind in enumerate(KINDS) for at in MOMENTS]


@pytest.fixture(scope="module")
def events() -> Iterator[Repository[Event]]:
    """Some of each kind."""
    with isthmus.connect("memory://") as database:
        found = database.repository(Event).ensure()
        for event in EVENTS:
            found.put(event)
        yield found


COMPARISONS: dict[str, Any] = {
    "==": lambda one, value: one == value, "!=": lambda one, value: one != value, "<": lambda one, value: one < value,
    "<=": lambda one, value: one <= value, ">": lambda one, value: one > value, ">=": lambda one, value: one >= value,
}  # fmt: skip
CONDITIONS = st.lists(
    st.tuples(st.just("kind"), st.sampled_from(sorted(COMPARISONS)), st.sampled_from([*KINDS, "", "a#"]))
    | st.tuples(st.just("at"), st.sampled_from(sorted(COMPARISONS)), st.sampled_from(MOMENTS)),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(conditions=CONDITIONS, kind=st.none() | st.sampled_from(KINDS))
def test_narrowing_changes_no_answer(events: Any, conditions: list[tuple[str, str, Any]], kind: str | None) -> None:
    """What the sort key's template allows to skip is what a filter would leave out."""
    query = events.query(room="r") if kind is None else events.query(room="r", kind=kind)
    expected = [event for event in EVENTS if kind in (None, event.kind)]
    for name, operator, value in conditions:
        compare = COMPARISONS[operator]
        query = query.where(lambda one, name=name, value=value, compare=compare: compare(getattr(one, name), value))
        expected = [event for event in expected if compare(getattr(event, name), value)]
    assert {event.id: event.at for event in query} == {event.id: event.at for event in expected}
    assert sorted((one.kind, one.at) for one in query) == sorted((one.kind, one.at) for one in expected)
    assert query.count() == len(expected)


@pytest.mark.parametrize(
    ("condition", "most"),
    [
        (lambda one: one.kind == "a", 4),
        (lambda one: one.kind >= "b", 4),
        (lambda one: one.kind.startswith("a"), 12),
        (lambda one: (one.kind == "b") & (one.at == START), 4),
    ],
)
def test_narrowing_looks_at_less(events: Repository[Event], condition: Any, most: int) -> None:
    """At what the range holds."""
    page = events.query(room="r").where(condition).page(size=100)
    assert [len(page.items) > 0, page.examined <= most] == [True, True]


@pytest.mark.parametrize(
    ("condition", "most"),
    [
        (lambda one: one.at >= MOMENTS[2], 2),
        (lambda one: one.at < MOMENTS[1], 1),
        (lambda one: one.at == MOMENTS[1], 1),
        (lambda one: between(one.at, MOMENTS[1], MOMENTS[2]), 2),
        (lambda one: one.at <= MOMENTS[0], 1),
    ],
)
def test_texts_of_one_length_narrow_both_ways(events: Repository[Event], condition: Any, most: int) -> None:
    """Whatever follows them in the key."""
    page = events.query(room="r", kind="a").where(condition).page(size=100)
    assert [len(page.items), page.examined] == [most, most]


@frozen
class Inner:
    """Nested."""

    city: str
    zips: list[int] = field(factory=list)


@frozen
class Outer:
    """A field of each kind that conditions look into."""

    id: str
    group: str
    flag: bool = False
    number: int | None = None
    name: str = ""
    inner: Inner | None = None
    inners: list[Inner] = field(factory=list)
    scores: dict[str, int] = field(factory=dict)
    tags: frozenset[str] = frozenset()
    data: bytes = b""


OUTERS = [
    Outer("0", "g", number=3, name="0", inner=Inner("Paris", [1, 2])),
    Outer("1", "g", True, inners=[Inner("Rome")], scores={"a": 5}, tags=frozenset("xy"), data=b"abc"),
]


@pytest.fixture(scope="module")
def outers() -> Iterator[Repository[Outer]]:
    """Two of them, in a table whose key attributes are copies of fields."""
    with isthmus.connect("memory://") as database:
        table = Table("outers", "PK", "SK", [Index("all-of", "GPK", "GSK")])
        model = Model(table, "group", "id", indexes=[Index("all-of", "{group}", "id")])
        found = database.repository(Outer, model=model).ensure()
        for outer in OUTERS:
            found.put(outer)
        yield found


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (lambda o: o.flag, "1"),
        (lambda o: not_(o.flag), "0"),
        (lambda o: o.flag & (o.name == ""), "1"),
        (lambda o: o.flag | (o.name == "0"), "01"),
        (lambda o: (o.name == "0") | o.flag, "01"),
        (lambda o: present(o.number) > 2, "0"),
        (lambda o: o.number == None, "1"),  # noqa: E711  # recorded
        (lambda o: o.number != None, "0"),  # noqa: E711  # recorded
        (lambda o: o.inner.city == "Paris", "0"),
        (lambda o: present(o.inner).zips[1] == 2, "0"),
        (lambda o: o.inners[0].city == "Rome", "1"),
        (lambda o: o.scores["a"] >= 5, "1"),
        (lambda o: o.id == o.name, "0"),
        (lambda o: contains(o.tags, "x"), "1"),
        (lambda o: contains(o.data, b"b"), "1"),
        (lambda o: size(o.tags) == 2, "1"),
        (lambda o: size(o.tags) == 0, "0"),
        (lambda o: size(o.tags) < 3, "01"),
        (lambda o: size(o.tags) <= 1, "0"),
        (lambda o: size(o.tags) > -1, "01"),
        (lambda o: size(o.tags) >= 1, "1"),
        (lambda o: size(o.tags) != 0, "1"),
        (lambda o: size(o.tags) != 2, "0"),
        (lambda o: o.tags == frozenset("yx"), "1"),
        (lambda o: o.tags == frozenset(), "0"),
        (lambda o: missing(o.tags), "0"),
        (lambda o: o.inner == Inner("Paris", [1, 2]), "0"),
        (lambda o: o.inners == [Inner("Rome")], "1"),
        (lambda o: is_in(o.name, ["0", "2"]), "0"),
        (lambda o: o.data.startswith(b"a"), "1"),
        (lambda o: contains(present(o.inner).zips, 2), "0"),
        (lambda o: o.id >= "1", "1"),
        (F.PK == "g", "01"),
        (lambda o: ~(o.id >= "1"), "0"),
        (lambda o: between(o.id, "0", "0"), "0"),
        (lambda o: o.id.startswith("1"), "1"),
        (lambda o: size(o.name) > 0, "0"),
        (lambda o: o.name != "0", "1"),
    ],
)
def test_what_conditions_mean(outers: Repository[Outer], condition: Any, ids: str) -> None:
    """In scans, in queries and through an index."""
    ways = [outers.scan(), outers.query(group="g"), outers.query(index="all-of", group="g")]
    assert ["".join(sorted(one.id for one in way.where(condition))) for way in ways] == [ids] * 3


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (lambda o: o.nmae == "x", "did you mean 'name'"),
        (lambda o: o.inner.ctiy == "x", "did you mean 'city'"),
        (lambda o: o.name == 1, "Outer.name takes str, not an int"),
        (lambda o: o.flag and o.flag, "truth value"),
        (lambda o: not o.flag, "truth value"),
        (lambda o: "x" in o.tags, "contains"),
        (lambda o: len(o.tags) > 1, "size"),
        (lambda o: list(o.tags), "iterated"),
        (lambda o: o.name is None, "gave a bool"),
        (lambda o: o.name[0] == "a", "no members"),
        (lambda _o: None, "gave a NoneType"),
        (lambda o: o.name, "Recorder"),
        (lambda o: contains(o.tags, 1), "takes str, not an int"),
        (lambda _o: size("x") > 1, "size\\(\\) takes a field"),
        (lambda o: is_in(o.name, ["a", 1]), "takes str"),
        (lambda o: between(o.name, "a", None), "takes str, not None"),
        (lambda o: setattr(o, "name", "x"), "can't be assigned"),
        (7, "is a function such as"),
        (lambda o: o.number < None, "order"),
        (lambda o: o.name == f"{o.id}-x", "can't be made text"),
        (lambda o: o.name == str(o.id), "can't be made text"),
        (lambda o: o.name in "abc", "can't be recorded"),
        (lambda o: ~o.number, "can't be recorded"),
        (lambda o: o.inner.zips["a"], "element|gave"),
    ],
)
def test_what_is_no_condition(outers: Repository[Outer], condition: Any, told: str) -> None:
    """The error says what to write instead."""
    with pytest.raises(InvalidArgument, match=told):
        outers.query(group="g").where(condition)


def test_a_function_is_called_once(outers: Repository[Outer]) -> None:
    """However many items there are."""
    calls: list[Any] = []

    def condition(one: Outer) -> bool:
        calls.append(one)
        return one.id >= ""

    query = outers.scan().where(condition)
    assert [query.count(), len(list(query)), len(calls)] == [2, 2, 1]


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty one."""
    with isthmus.connect("memory://") as opened:
        yield opened


def test_changes_by_a_function(database: Database) -> None:
    """Sums, lists, sets and copies are computed by the store."""
    outers = database.repository(Outer, model=Model("outers", "id")).ensure()
    outers.put(evolve(OUTERS[1], number=1))

    front, extra = [Inner("A")], [Inner("B")]
    found = outers.update(
        "1",
        set=lambda o: evolve(
            o,
            number=present(o.number) + 2,
            inners=o.inners + extra,
            tags=o.tags | {"z"},
            name=o.group,
            flag=False,
        ),
    )
    added = [Inner("Rome"), Inner("B")]
    assert found == evolve(OUTERS[1], number=3, inners=added, tags=frozenset("xyz"), name="g", flag=False)
    found = outers.update(
        "1",
        set=lambda o: evolve(o, tags=o.tags - {"x", "y"}, inners=front + o.inners, number=present(o.number) - 1),
    )
    assert [found.tags, [one.city for one in found.inners], found.number] == [frozenset("z"), ["A", "Rome", "B"], 2]
    with pytest.raises(InvalidArgument, match="whole entity only"):
        outers.update("1", set=lambda o: evolve(o, inner=evolve(present(o.inner), city="x")))
    assert outers.update("1", set={F.scores.a: 9, "inner": Inner("x")}).scores == {"a": 9}


def test_users_of_an_index(database: Database) -> None:
    """An index that a model doesn't name has no keys for it."""
    users = database.repository(User).ensure()
    users.create(User("acme", "1", "a@x", badge=7))
    assert users.query(index="by_badge", org="acme", badge=7, email="a@x").count() == 1
    for index, key in [("by_badge", {"org": "acme"}), ("nothing", {"org": "acme"}), (None, {"badge": 7})]:
        with pytest.raises(InvalidArgument):
            users.query(index=index, **key)  # type: ignore[arg-type]  # of different types


def test_an_index_that_holds_a_part_is_refused(database: Database) -> None:
    """What it lacks would be taken for missing, and written so by a save."""
    model = Model("parts", "id", indexes=[Index("by-group", "group", projection=["name"])])
    parts = database.repository(Outer, model=model)
    with pytest.raises(InvalidArgument, match="does not hold field 'flag' of Outer"):
        parts.query(index="by-group", group="g")
