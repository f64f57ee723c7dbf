"""Conditions and updates that the service carries out mean what the evaluator says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus import BoundTable, F, Index
from isthmus.errors import ConditionFailed, InvalidKey, IsthmusError
from isthmus.evaluate import apply_changes, matches
from isthmus.expressions import Condition, Not, Or, Path, negate
from isthmus.values import Item
from isthmus_conformance.strategies import ATTRIBUTES, attribute_values
from isthmus_conformance.trees import changes, conditions
from isthmus_dynamodb.conditions import AND, condition_text, fits
from isthmus_dynamodb.placeholders import Placeholders
from plugins.dynamodb.tests.stored import Store, open_store

ITEMS = st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values(), max_size=4)
DELICATE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60
)


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database without retries."""
    with open_store(dynamodb_url) as opened:
        yield opened


@pytest.fixture
def table(store: Store) -> BoundTable:
    """A table with the key ``id``."""
    table = store.database.table("expressions", partition_key="id")
    table.ensure()
    return table


def text(condition: Condition, surroundings: int = 0) -> str:
    """The text of a condition by itself."""
    return condition_text(condition, Placeholders(), surroundings)


@DELICATE
@given(conditions(), ITEMS)
def test_conditions_mean_the_same(table: BoundTable, condition: Condition, attributes: Item) -> None:
    """A conditional write and its negation: exactly one goes through, the one that the evaluator names."""
    item = {"id": "1", **attributes}
    table.put(item)
    true, false = (condition, negate(condition)) if matches(condition, item) else (negate(condition), condition)
    table.put(item, when=true)
    with pytest.raises(ConditionFailed) as raised:
        table.put(item, when=false)
    assert raised.value.current == item


@DELICATE
@given(changes(), ITEMS, st.booleans())
def test_updates_mean_the_same(table: BoundTable, wanted: Any, attributes: Item, conditional: bool) -> None:
    """The item that an update leaves, or the kind of error that it raises."""
    item = {"id": "1", **attributes}
    table.put(item)
    update = evolve(table.actions.update(id="1", when=F.id == "1" if conditional else None), changes=wanted)
    try:
        expected = apply_changes(wanted, item)
    except IsthmusError as error:
        with pytest.raises(type(error)):
            table.database.execute(update)
        expected = item
    else:
        table.database.execute(update)
    assert table.get(id="1") == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (F.a == 1, "#0 = :0"),
        (F.a.b[3].c != F.a, "#0.#1[3].#2 <> #0"),
        ((F.a == 1) & (F.b == 1), "#0 = :0 AND #1 = :1"),
        (((F.a == 1) | (F.b == 1)) & (F.a == 2), "(#0 = :0 OR #1 = :1) AND #0 = :2"),
        (((F.a == 1) & (F.b == 1)) | (F.a == 2), "#0 = :0 AND #1 = :1 OR #0 = :2"),
        (~(F.a == 1), "NOT #0 = :0"),
        (~((F.a == 1) | (F.b == 1)), "NOT (#0 = :0 OR #1 = :1)"),
        (F.a.between(1, F.b) & F.a.exists(), "#0 BETWEEN :0 AND #1 AND attribute_exists(#0)"),
        (Not(Not(F.a == 1)), "#0 = :0"),
        (Or((F.a == 1,)), "#0 = :0"),
    ],
)
def test_parentheses_follow_precedence(condition: Condition, expected: str) -> None:
    """None is redundant, which the service refuses, and none is missing."""
    assert text(condition) == expected


def test_members_stand_in_parentheses_where_they_bind_less() -> None:
    """A text that is joined by AND."""
    assert text((F.a == 1) | (F.b == 2), AND) == "(#0 = :0 OR #1 = :1)"


def test_long_lists_are_cut(table: BoundTable) -> None:
    """99 alternatives in one operator, the others in further ones."""
    table.put({"id": "1", "n": 249})
    condition = F.n.in_(range(250))
    assert text(condition).count(" IN ") == 3
    table.put({"id": "1", "n": 250}, when=condition)
    with pytest.raises(ConditionFailed):
        table.put({"id": "1", "n": 0}, when=condition)


@pytest.mark.parametrize("low", ["a", "b"])
def test_a_range_from_an_attribute_to_itself(table: BoundTable, low: str) -> None:
    """The same path twice in one operator is refused by the service, so it is written as two."""
    table.put({"id": "1", "a": 1, "b": 1})
    condition = F.a.between(F.b, F.b) if low == "b" else F.b.between(F.a, F.a)
    table.put({"id": "1", "n": 2}, when=condition)
    assert table.get(id="1") == {"id": "1", "n": 2}


def test_conditions_that_are_too_long_are_judged_here(store: Store, table: BoundTable) -> None:
    """Beyond 4,096 bytes the item is read, judged, and written if it is still the same."""
    long = F.n.in_(range(1, 1_000)) & F.m.not_exists()
    assert not fits(text(long))
    table.put({"id": "1", "n": 1})
    store.recorder.sent.clear()
    table.update(id="1", add={"n": 1}, when=long)
    assert (table.get(id="1"), store.recorder.actions[0]) == ({"id": "1", "n": 2}, "GetItem")


@pytest.mark.parametrize("count", [301, 340])
def test_assignments_are_no_operators(store: Store, table: BoundTable, count: int) -> None:
    """The service takes as many as its text may hold: one request."""
    table.put({"id": "1"})
    store.recorder.sent.clear()
    given = {f"a{number}": number for number in range(count)}
    table.update(id="1", set=given)
    assert (store.recorder.actions, table.get(id="1")) == (["UpdateItem"], {"id": "1", **given})


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ("SET " + ", ".join(["#0 = :0"] * 350), True),
        ("SET #0 = " + " + ".join([":0"] * 301), True),
        ("SET #0 = " + " + ".join([":0"] * 302), False),
        ("SET " + ", ".join(["#0 = a(#0)"] * 301), False),
        ("SET " + ", ".join(["#0 = :0"] * 460), False),
        (" AND ".join(["#0 = :0"] * 150), True),
        (" AND ".join(["#0 = :0"] * 151), False),
    ],
)
def test_what_fits_an_expression(expression: str, taken: bool) -> None:
    """4,096 bytes, and 300 operators and functions; what assigns is none."""
    assert fits(expression) is taken


@pytest.mark.parametrize("count", [700, 900])
def test_a_long_projection_is_cut_here(table: BoundTable, count: int) -> None:
    """Whatever the service takes in one expression, the same part of the item comes, by all single reads."""
    table.put({"id": "1", "a5": {"x": 1, "y": 2}, "a890": 3, "other": 4})
    paths: list[Any] = [F.a5.x, *(f"a{number}" for number in range(6, count))]
    whole: dict[str, Any] = {"a5": {"x": 1}, **({"a890": 3} if count > 890 else {})}
    got = table.get(id="1", select=paths)
    (of_many,) = table.get_many([{"id": "1"}], select=paths)
    (of_transaction,) = table.database.transact_get([table.actions.get(id="1", select=paths)])
    assert (got, of_many, of_transaction) == (whole, whole, whole)


@pytest.mark.parametrize("projection", ["keys", ("n", "m")])
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (F.id.in_([]), []),
        (F.id.in_([]) | F.n.in_([]), []),
        (~F.id.in_([]), ["0", "1", "2"]),
        ((F.id == "1") | F.id.in_([]), ["1"]),
        (~F.id.in_([]) & (F.id != "1"), ["0", "2"]),
    ],
)
def test_constant_conditions_on_an_index(store: Store, projection: Any, condition: Condition, found: list[str]) -> None:
    """They need no attribute that the index leaves out."""
    indexes = [Index("by-g", "g", "n", projection=projection)]
    table = store.database.table("indexed", partition_key="id", indexes=indexes).ensure()
    table.put_many([{"id": str(number), "g": "x", "n": str(number)} for number in range(3)]).raise_for_failures()
    query = table.query(index="by-g", g="x").where(condition)
    assert ([item["id"] for item in query], query.count()) == (found, len(found))


def test_names_have_one_placeholder_each() -> None:
    """Whatever a name looks like, it stands in the map only."""
    placeholders = Placeholders()
    paths: list[Path] = [("a.b", ":v"), ("#0", 1), ("a.b",)]
    assert [placeholders.path(path) for path in paths] == ["#0.#1", "#2[1]", "#0"]
    assert placeholders.parameters() == {"ExpressionAttributeNames": {"#0": "a.b", "#1": ":v", "#2": "#0"}}


def test_nothing_unused_is_sent() -> None:
    """Empty maps are refused by the service."""
    assert Placeholders().parameters() == {}


@pytest.mark.parametrize("change", [{"set": {"g": 5}}, {"set": {"g": ""}}, {"add": {"r": frozenset({1})}}])
def test_updates_of_index_keys_are_checked(store: Store, change: Any) -> None:
    """DynamoDB Local would take a wrong type."""
    table = store.database.table("indexed", partition_key="id", indexes=[Index("by-g", "g", ("r", int))])
    table.ensure()
    table.put({"id": "1", "g": "x"})
    with pytest.raises(InvalidKey):
        table.update(id="1", **change)
    assert table.get(id="1") == {"id": "1", "g": "x"}
