"""Types of fields: what round trips, how it is stored, and what is refused (rules REP-1 to REP-4)."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType, Union
from uuid import UUID

import attrs
import pytest
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus import Model, Plugin, hookimpl
from isthmus.errors import InvalidArgument, InvalidStoredValue, InvalidValue

Name = NewType("Name", str)


class Colour(Enum):
    """By text and by number."""

    RED = "red"
    TWO = 2
    YES = True


class Level(IntEnum):
    """Members are numbers too."""

    LOW = 1


class Options(Flag):
    """Members that can be combined."""

    ONE = 1
    TWO = 2


LATEST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))


class Mode(StrEnum):
    """Members are text too."""

    ON = "on"


@frozen
class Leaf:
    """Nested."""

    name: str
    weight: float = 0.5
    marks: set[int] = field(factory=set)


@frozen
class Tree:
    """Holds others of its kind."""

    name: str
    leaf: Leaf | None = None
    children: list[Tree] = field(factory=list)


def holder(hint: Any, **options: Any) -> type[Any]:
    """A class with one field of that type beside its key."""
    return attrs.make_class("Holder", {"id": attrs.field(type=str), "value": attrs.field(type=hint, **options)})


def stored_and_found(hint: Any, value: Any, **options: Any) -> tuple[Any, Any]:
    """How a value is stored, ``...`` where it is not, and what comes back."""
    kind = holder(hint, **options)
    with isthmus.connect("memory://") as database:
        things = database.repository(kind, model=Model("things", "id")).ensure()
        things.put(kind("1", value))
        return things.table.get(id="1").get("value", ...), things.get("1").value


LEAVES = st.builds(Leaf, st.text("ab€", max_size=3), st.floats(-1e6, 1e6).map(lambda one: round(one, 6)))
TREES = st.recursive(
    st.builds(Tree, st.text("ab", max_size=2), st.none() | LEAVES),
    lambda inner: st.builds(Tree, st.just("t"), st.none(), st.lists(inner, max_size=2)),
    max_leaves=4,
)
NUMBERS = st.integers(-(10**30), 10**30)
DECIMALS = st.decimals(-(10**12), 10**12, places=5)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text("aé€𝄞\n", max_size=5), int: NUMBERS, bool: st.booleans(), bytes: st.binary(max_size=5),
    float: st.floats(-1e12, 1e12).map(lambda one: round(one, 6)), Decimal: DECIMALS, datetime: MOMENTS,
    date: st.dates(), UUID: st.uuids(), Colour: st.sampled_from(Colour), Level: st.just(Level.LOW),
    Mode: st.just(Mode.ON), str | None: st.none() | st.text("ab"), list[int]: st.lists(NUMBERS, max_size=3),
    list[list[str]]: st.lists(st.lists(st.text("ab"), max_size=2), max_size=2),
    set[str]: st.sets(st.text("ab"), max_size=3), frozenset[UUID]: st.frozensets(st.uuids(), max_size=2),
    frozenset[float]: st.frozensets(st.sampled_from([0.1, 2.5, 3.0]), max_size=3), set[Mode]: st.just({Mode.ON}),
    frozenset[str] | None: st.none() | st.frozensets(st.text("ab"), max_size=2),
    list[set[int]]: st.lists(st.sets(NUMBERS, max_size=2), max_size=2),
    dict[str, date | None]: st.dictionaries(st.sampled_from(["a", "b.c"]), st.none() | st.dates()),
    tuple[Decimal, ...]: st.lists(DECIMALS, max_size=2).map(tuple), Leaf: LEAVES, Tree: TREES,
    Leaf | Tree: LEAVES | TREES, Union[int, str, None]: st.none() | NUMBERS | st.text("ab"),  # noqa: UP007  # both forms
    bool | Decimal | bytes: st.booleans() | DECIMALS | st.binary(max_size=2),
    Literal["a", 1]: st.sampled_from(["a", 1]),
    Name: st.text("ab").map(Name), Annotated[int, "years"]: NUMBERS, list: st.lists(st.none() | st.booleans()),
    dict[str, Any]: st.just({"a": [1, {"b": None}], "c": frozenset({1})}),
}  # fmt: skip


@pytest.mark.parametrize("hint", VALUES, ids=str)
def test_values_come_back_equal(hint: Any) -> None:
    """Of the type that they had."""
    kind = holder(hint)
    with isthmus.connect("memory://") as database:
        things = database.repository(kind, model=Model("things", "id")).ensure()

        @settings(max_examples=25, deadline=None)
        @given(value=VALUES[hint])
        def check(value: Any) -> None:
            things.put(kind("1", value))
            found = things.get("1").value
            assert (type(found), found) == (type(value), value)

        check()


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (datetime, datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=1))), "2026-01-02T02:04:05.000006Z"),
        (date, date(26, 1, 2), "0026-01-02"),
        (UUID, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (float, 0.1, Decimal("0.1")),
        (Colour, Colour.TWO, 2),
        (set[int], set(), ...),
        (str | None, None, ...),
        (list[set[int]], [set()], [[]]),
        (frozenset[int] | None, frozenset(), []),
        (list[str | None], [None], [None]),
        (Leaf, Leaf("a"), {"name": "a", "weight": Decimal("0.5")}),
        (Leaf | Tree, Leaf("a", 1.0), {"name": "a", "weight": 1, "_type": "Leaf"}),
    ],
    ids=repr,
)
def test_how_values_are_stored(hint: Any, value: Any, stored: Any) -> None:
    """Portable values that other programs understand."""
    assert stored_and_found(hint, value) == (stored, value)


@pytest.mark.parametrize(
    ("options", "value", "stored", "without"),
    [
        ({"default": 7}, 8, 8, 7),
        ({"default": 7}, None, None, 7),
        ({"default": None}, None, ..., None),
        ({}, None, ..., None),
        ({"factory": lambda: 9}, None, None, 9),
        ({"default": attrs.Factory(lambda self: len(self.id), takes_self=True)}, None, None, 1),
    ],
)
def test_optional_values_and_defaults(options: dict[str, Any], value: Any, stored: Any, without: Any) -> None:
    """``None`` is told from a default; an item without the attribute gives the default."""
    kind = holder(int | None, **options)
    with isthmus.connect("memory://") as database:
        things = database.repository(kind, model=Model("things", "id")).ensure()
        things.put(kind("1", value))
        things.table.put({"id": "2"})
        assert things.table.get(id="1").get("value", ...) == stored
        assert [things.get("1").value, things.get("2").value] == [value, without]


class Plain:
    """No attrs class, and nobody says how it is stored."""


class Pairs(Enum):
    """Values that no store holds."""

    ONE = (1, object())


@pytest.mark.parametrize(
    "hint",
    [
        complex, Plain, Callable[[], int], dict[int, str], set[list[str]], set[Leaf], frozenset[bool], tuple[int, str],
        set[str | None], date | str, int | float, list[complex], Leaf | str | complex, types.NoneType, Pairs, type[int],
        dict[str, Plain] | None, set[Colour], list[str] | set[str], object,
    ],
    ids=str,
)  # fmt: skip
def test_unsupported_types_are_refused(hint: Any) -> None:
    """When the repository is asked for, with class, field and type in the error."""
    with isthmus.connect("memory://") as database, pytest.raises(InvalidArgument) as caught:
        database.repository(holder(hint), model=Model("things", "id"))
    assert [part for part in ("'value'", "Holder", "can't be stored") if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (int, "secret", "'value' of Holder takes int, not a str"),
        (int, True, "takes int, not a bool"),
        (str, Mode.ON, "takes str, not a Mode"),
        (float, Decimal(1), "takes float, not a Decimal"),
        (date, datetime(2026, 1, 1, tzinfo=UTC), "takes date, not a datetime"),
        (datetime, datetime(2026, 1, 1), "takes datetime with one, not a datetime without a time zone"),  # noqa: DTZ001
        (Colour, "red", "takes Colour, not a str"),
        (list[int], [1, "secret"], "'value[1]' of Holder takes int, not a str"),
        (list[int], (1,), "takes list[int], not a tuple"),
        (dict[str, Leaf], {"a": Leaf(1)}, "'value.a.name' of Holder takes str, not an int"),  # type: ignore[arg-type]
        (dict[str, int], {1: 1}, "takes dict[str, int], not a dict"),
        (Leaf | Tree, "secret", "takes Leaf | Tree, not a str"),
        (str, None, "takes str, not None"),
        (Literal["a"], "secret", "takes one of its literals, not a str"),
        (datetime, LATEST, "field 'value' of Holder takes datetime, not a datetime that is out of range in UTC"),
        (Options, Options.ONE | Options.TWO, "takes one member of Options, not several members in one"),
    ],
    ids=repr,
)  # fmt: skip
def test_values_of_other_types_are_refused(hint: Any, value: Any, told: str) -> None:
    """Before anything is sent, and without the value in the error."""
    with pytest.raises(InvalidValue) as caught:
        stored_and_found(hint, value)
    assert [told in str(caught.value), "secret" in str(caught.value)] == [True, False]


@pytest.mark.parametrize(
    ("hint", "stored", "told"),
    [
        (int, "secret", "field 'value' of Holder takes int, and a string is stored"),
        (int, Decimal("1.5"), "takes int, and a number is stored"),
        (str, ..., "takes str, and nothing is stored"),
        (float, True, "takes float, and a boolean is stored"),
        (datetime, "2026-01-02", "and a string of another form is stored"),
        (date, "secret", "takes date, text YYYY-MM-DD, and a string of another form is stored"),
        (UUID, "secret", "takes UUID, and a string of another form is stored"),
        (Colour, "secret", "takes Colour, and a string that names no member is stored"),
        (Colour, [1], "takes Colour, and a list that names no member is stored"),
        (list[Leaf], [{"name": "a"}, {"name": 1}], "field 'value[1].name' of Holder takes str, and a number is stored"),
        (Tree, {"name": "a", "children": [{"children": []}]}, "'value.children[0].name' of Holder takes str, and no"),
        (Leaf | Tree, {"name": "a"}, "a map whose '_type' names none of them"),
        (int | str, b"secret", "takes int | str, and a binary is stored"),
        (set[int], ["secret"], "takes set[int], and a list is stored"),
        (dict[str, int], {"a": "secret"}, "'value.a'"),
        (Literal["a"], "secret", "takes one of its literals"),
    ],
    ids=repr,
)  # fmt: skip
def test_stored_values_of_other_types_are_told(hint: Any, stored: Any, told: str) -> None:
    """Field, stored type and wanted type, never the value."""
    with isthmus.connect("memory://") as database:
        things = database.repository(holder(hint), model=Model("things", "id")).ensure()
        things.table.put({"id": "1"} if stored is ... else {"id": "1", "value": stored})
        with pytest.raises(InvalidStoredValue) as caught:
            things.get("1")
    assert [told in str(caught.value), "secret" in str(caught.value)] == [True, False]
    assert [caught.value.table, caught.value.key] == ["things", {"id": "1"}]


@define
class Even:
    """Checks itself."""

    id: str
    number: int = field()

    @number.validator
    def _check(self, _attribute: object, value: int) -> None:
        if value % 2:
            raise ValueError(f"{value} is odd")


def test_a_class_may_refuse_what_is_stored() -> None:
    """Its own checks run on what is read; what they say may quote the value, so only the cause has it."""
    with isthmus.connect("memory://") as database:
        things = database.repository(Even, model=Model("things", "id")).ensure()
        things.table.put({"id": "1", "number": 77})
        with pytest.raises(InvalidStoredValue, match="the class refuses \\(ValueError\\)") as caught:
            things.get("1")
    assert "77" not in str(caught.value)


CALLS: list[str] = []


def _counted(name: str) -> str:
    CALLS.append(name)
    return name


@frozen
class Node:
    """Counts how often one is made."""

    name: str = field(converter=_counted)
    children: list[Node] = field(factory=list)


def test_the_way_to_a_misfit_is_known_at_once() -> None:
    """Nothing is converted again to find it, however deep it lies."""
    stored: dict[str, Any] = {"name": 1}
    for _level in range(12):
        stored = {"name": "t", "children": [{"name": "leaf"}, stored]}
    CALLS.clear()
    with isthmus.connect("memory://") as database:
        things: Any = database.repository(holder(Node), model=Model("things", "id"))
        with pytest.raises(InvalidStoredValue, match=r"'value(\.children\[1\]){12}\.name'"):
            things.from_item({"id": "1", "value": stored})
    assert CALLS == ["leaf"] * 12


class Money:
    """A class of somebody else's."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class MoneyPlugin(Plugin):
    """Says how it is stored."""

    name = "money"

    @hookimpl
    def isthmus_register_types(self, converter: Any) -> None:
        """Cents."""
        converter.register_unstructure_hook(Money, lambda money: money.cents)
        converter.register_structure_hook(Money, lambda cents, _kind: Money(cents + 0))


def test_types_that_plugins_register() -> None:
    """They are field types as any other."""
    kind = holder(list[Money])
    with isthmus.connect("memory://", plugins=[MoneyPlugin]) as database:
        things = database.repository(kind, model=Model("things", "id")).ensure()
        things.put(kind("1", [Money(5)]))
        assert [things.table.get(id="1")["value"], things.get("1").value[0].cents] == [[5], 5]
        things.table.put({"id": "1", "value": ["secret"]})
        with pytest.raises(InvalidStoredValue, match="takes Money, and a string is stored"):
            things.get("1")
