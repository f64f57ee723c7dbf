"""Writes on the server against the shared meaning of writes: results, errors, and what is stored byte for byte."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pymongo.collection import Collection

from isthmus import F, Index, Limits, Table
from isthmus.errors import ConditionFailed, InvalidPath, IsthmusError
from isthmus.expressions import Action as Change
from isthmus.expressions import Add, Append, Changes, Condition, Delete, Prepend, Remove, Set, SetFrom, SetIfAbsent
from isthmus.operation_ids import new_operation_id
from isthmus.operations import Context, Create, Put, Update
from isthmus.operations import Delete as DeleteItem
from isthmus.values import Item, equal
from isthmus.writes import check_index_keys, visible, write
from isthmus_conformance.profiles import profile
from isthmus_conformance.strategies import ATTRIBUTES, attribute_values
from isthmus_conformance.trees import changes, conditions
from isthmus_mongodb.layouts import OPERATION
from isthmus_mongodb.values import encode_item
from plugins.mongodb.tests.running import NOW, Bench, context

Documents = Collection[dict[str, Any]]

SECOND = int(NOW)
PLAIN = Table("items", "k")
BINARY = Table("items", ("k", bytes), ("b", int))
EXPIRING = Table("items", "k", ttl="c")
INDEXED = Table("items", "k", indexes=[Index("one", ("c", bytes), ("a", int)), Index("two", "size")])
KEYS: dict[Table, Item] = {PLAIN: {"k": "x"}, BINARY: {"k": b"\1", "b": 5}, EXPIRING: {"k": "x"}, INDEXED: {"k": "x"}}

EXPIRIES: list[Item] = [
    {}, {"c": SECOND - 5}, {"c": SECOND}, {"c": SECOND + 1}, {"c": SECOND + 1000}, {"c": [0]},
]  # fmt: skip
INDEX_KEYS: list[Item] = [{"c": b"ab", "a": 3}, {"size": "q"}, {"c": b"a"}, {"a": 7, "size": "t"}, {}]
ON_EXPIRY: list[Change] = [
    Set(("c",), SECOND + 50), Set(("c",), 1), Set(("c",), "no"), Remove(("c",)), Add(("c",), 5),
    SetIfAbsent(("c",), SECOND + 9),
]  # fmt: skip
ON_INDEX_KEYS: list[Change] = [
    Set(("c",), b"zz"), Set(("c",), 1), Remove(("c",)), Add(("a",), 5), SetIfAbsent(("c",), b"q"),
    Set(("size",), "new"), Set(("size",), ""), Add(("a",), frozenset({1})),
]  # fmt: skip


def apart(candidates: list[Change]) -> Changes:
    """An update of those candidates whose paths don't overlap."""
    kept: list[Change] = []
    for candidate in candidates:
        try:
            Changes([*kept, candidate])
        except InvalidPath:
            continue
        kept.append(candidate)
    return Changes(kept)


CONTEXTS = st.booleans().map(lambda known: context(new_operation_id() if known else None))


def starting(table: Table) -> SearchStrategy[Item]:
    """Items of the table's one key, as they may be stored."""
    free = [name for name in ATTRIBUTES if name not in KEYS[table]]
    rest = st.dictionaries(st.sampled_from(free), attribute_values(), max_size=6)
    special = EXPIRIES if table is EXPIRING else INDEX_KEYS if table is INDEXED else [{}]
    names = {"c", "a", "size"} if table is INDEXED else set()
    return st.builds(
        lambda rest, chosen: {**{n: v for n, v in rest.items() if n not in names}, **chosen, **KEYS[table]},
        rest, st.sampled_from(special),
    )  # fmt: skip


def updates(table: Table) -> SearchStrategy[Changes]:
    """Updates of the table, often of attributes that mean something to it."""
    free = tuple(name for name in ATTRIBUTES if name not in KEYS[table])
    special = ON_EXPIRY if table is EXPIRING else ON_INDEX_KEYS if table is INDEXED else []
    every = changes(free)
    if special:
        every |= st.builds(lambda first, rest: apart([first, *rest.actions]), st.sampled_from(special), changes(free))
    return every.filter(lambda wanted: bool(wanted.actions))


def operations(table: Table) -> SearchStrategy[Any]:
    """Writes of the table's one key, half of them without a condition."""
    key = KEYS[table]
    condition = st.none() | conditions((*ATTRIBUTES, "k"))
    returning = st.sampled_from([None, "old", "new"])
    return st.one_of(
        st.builds(Update, CONTEXTS, st.just(table), st.just(key), updates(table), condition, st.booleans(), returning),
        st.builds(Put, CONTEXTS, st.just(table), starting(table), condition, returning),
        st.builds(Create, CONTEXTS, st.just(table), starting(table), st.sampled_from([None, "new"])),
        st.builds(DeleteItem, CONTEXTS, st.just(table), st.just(key), condition, st.sampled_from([None, "old"])),
    )


def same(one: Any, two: Any) -> bool:
    """Whether two items are the same portable values, or both missing."""
    return one is two if one is None or two is None else equal(one, two)


def judge(bench: Bench, operation: Any) -> None:
    """Carry out one write and compare everything with its meaning."""
    before = bench.stored(operation.key)
    current = visible(bench.table, before, bench.now)
    try:
        expected = write(operation, current, Limits(), bench.now)
    except IsthmusError as error:
        refused(bench, operation, error)
        assert same(bench.stored(operation.key), before)
        return
    result = bench.run(operation)
    image = {"old": current, "new": expected, None: None}[operation.returning]
    assert same(result.item, image)
    stored = bench.stored(operation.key)
    if expected is None:
        assert visible(bench.table, stored, bench.now) is None
    else:
        assert same(stored, expected)
        assert canonical(bench, operation.key) == canonical_form(bench, expected)


def refused(bench: Bench, operation: Any, error: IsthmusError) -> None:
    """The write fails with this very error."""
    with pytest.raises(type(error)) as caught:
        bench.run(operation)
    assert caught.value.message == error.message
    if isinstance(error, ConditionFailed):
        assert isinstance(caught.value, ConditionFailed)
        assert same(caught.value.current, error.current)


def canonical(bench: Bench, key: Item) -> dict[str, bytes]:
    """The stored fields, each as its bytes, without the operation's id."""
    document = bench.raw(key)
    assert document is not None
    return {name: bson.encode({"v": value}) for name, value in document.items() if name != OPERATION}


def canonical_form(bench: Bench, item: Item) -> dict[str, bytes]:
    """The same of an item as it is encoded."""
    document = encode_item(bench.place.layout, item)
    return {name: bson.encode({"v": value}) for name, value in document.items()}


def compare(bench: Bench, start: SearchStrategy[Item], wanted: SearchStrategy[Any]) -> None:
    """Random writes, a few in a row, on an item that is there or not."""

    @profile(share=3)
    @given(st.none() | start | start | start, st.lists(wanted, min_size=1, max_size=4))
    def run(item: Item | None, many: list[Any]) -> None:
        bench.store(*([] if item is None else [item]))
        for operation in many:
            judge(bench, operation)

    run()


@pytest.mark.parametrize("table", [PLAIN, BINARY, EXPIRING, INDEXED], ids=["plain", "binary", "expiring", "indexed"])
def test_writes_mean_what_the_contract_says(collection: Documents, table: Table) -> None:
    """Whatever form was chosen, and whichever key, expiry and index attributes there are."""

    def valid(item: Item) -> bool:
        try:
            check_index_keys(table, item, Limits())
        except IsthmusError:
            return False
        return True

    compare(Bench(collection, table), starting(table).filter(valid), operations(table))


# ---- updates that mostly succeed ----

SMALL = st.dictionaries(st.sampled_from(["x", "0", "a.b"]), st.integers(0, 4), max_size=3)
SHAPED: SearchStrategy[Item] = st.fixed_dictionaries(
    {"k": st.just("x")},
    optional={
        "m": st.fixed_dictionaries(
            {}, optional={"x": st.lists(st.integers(0, 3), max_size=3), "0": attribute_values(), "a.b": SMALL}
        ),
        "l": st.lists(st.integers(0, 3) | SMALL, max_size=4),
        "$set": st.frozensets(st.sampled_from(["a", "b", "é"]), min_size=1),
        "_id": st.integers(-5, 5) | st.just(2**63 - 1),
    },
)
NAMED = [("m", "x"), ("m", "0"), ("m", "a.b"), ("m", "q"), ("m", "a.b", "x"), ("m", "a.b", "n"), ("l", 1, "x")]
PLACES = [*NAMED, ("l", 0), ("l", 1), ("l", 7), ("m", "x", 0), ("m", "x", 5), ("m",), ("_id",), ("new",), ("l",)]
LISTS = [("m", "x"), ("l",), ("new list",)]
SETS = [("$set",), ("gone",), ("m", "set")]


def shaped_changes() -> SearchStrategy[Changes]:
    """Updates of what ``SHAPED`` items hold."""
    place, value = st.sampled_from(PLACES), attribute_values()
    members = st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1)
    few = st.lists(value, max_size=2)
    change = st.one_of(
        st.builds(Set, place, value),
        st.builds(SetIfAbsent, place, value),
        st.builds(SetFrom, place, place),
        st.builds(SetFrom, place, place, value),
        st.builds(Add, st.sampled_from([*NAMED, ("_id",), ("new",)]), st.integers(-4, 4) | st.just(2**62)),
        st.builds(Add, st.sampled_from(SETS), members),
        st.builds(Delete, st.sampled_from(SETS), members),
        st.builds(Remove, place),
        st.builds(Append, st.sampled_from(LISTS), few, st.booleans()),
        st.builds(Prepend, st.sampled_from(LISTS), few, st.booleans()),
    )
    return st.lists(change, min_size=1, max_size=3).map(apart)


def test_nested_updates_mean_what_the_contract_says(collection: Documents) -> None:
    """Maps, lists and sets are rebuilt on the server as the evaluator rebuilds them."""
    condition = st.none() | conditions(("m", "$set", "_id"))
    returning = st.sampled_from([None, "new", "old"])
    wanted = st.builds(
        Update, CONTEXTS, st.just(PLAIN), st.just({"k": "x"}), shaped_changes(), condition, st.booleans(), returning
    )
    compare(Bench(collection, PLAIN), SHAPED, wanted)


@pytest.mark.parametrize("length", [2, 8, 16, 24, 31, 32])
@pytest.mark.parametrize("element", ["x", 0])
@pytest.mark.parametrize("kind", [Set, Remove, SetIfAbsent])
def test_deep_updates_are_no_trouble(collection: Documents, length: int, element: Any, kind: type[Change]) -> None:
    """What is nested deeper than the server allows in a command is left to compare-and-swap."""
    bench = Bench(collection, PLAIN)
    value: Any = 5
    for _ in range(length - 1):
        value = {element: value, "y": 1} if element == "x" else [value, 1]
    bench.store({"k": "x", "a": value})
    path = ("a", *[element] * (length - 1))
    change = kind(path) if kind is Remove else kind(path, 6)  # type: ignore[call-arg]
    judge(bench, Update(Context(), PLAIN, {"k": "x"}, Changes([change])))


@pytest.mark.parametrize("levels", [30, 31])
@pytest.mark.parametrize("path", [("a",), ("m", "x"), ("l", 0)])
def test_what_becomes_too_deep_is_refused(collection: Documents, levels: int, path: tuple[Any, ...]) -> None:
    """A value that is allowed at the top may be nested too deeply further down (rule SIZ-2)."""
    value: Any = 5
    for _ in range(levels):
        value = [value]
    bench = Bench(collection, PLAIN)
    for change in (
        Set(path, value),
        SetFrom(path, ("deep",)),
        SetIfAbsent((*path[:-1], "new") if path[0] == "m" else ("q",), value),
    ):
        bench.store({"k": "x", "m": {}, "l": [1], "deep": value})
        judge(bench, Update(Context(), PLAIN, {"k": "x"}, Changes([change])))


@pytest.mark.parametrize("size", [310_000, 409_000, 409_580, 409_600])
@pytest.mark.parametrize("upsert", [True, False])
def test_what_becomes_too_large_is_refused(collection: Documents, size: int, upsert: bool) -> None:
    """The size that counts is that of the result, by the contract's formula (rule SIZ-6)."""
    bench = Bench(collection, PLAIN)
    starts: list[Item] = [{"k": "x", "a": "q" * size}, {"k": "x", "m": {"a": "q" * size}}, {"k": "x"}]
    for start in starts:
        for change in (Set(("b",), "12345"), Set(("m",), "q" * size), Append(("l",), [1], True)):
            bench.store(start)
            judge(bench, Update(Context(), PLAIN, {"k": "x"}, Changes([change]), upsert=upsert))


CASES: list[tuple[Item, Change]] = [
    ({"m": {"x": 1}}, Set(("m", "a"), 2)),
    ({"m": {"x": {"z": 1, "y": 2}}}, Set(("m", "x", "a.b"), 2)),
    ({"m": {"x": 1}}, SetIfAbsent(("m", "0"), {"b": 1, "a": 2})),
    ({"l": [{"x": 1}]}, Add(("l", 0, "n"), 3)),
    ({"s": frozenset({"b", "é"})}, Add(("s",), frozenset({"a", "zz"}))),
    ({"s": frozenset({b"b", b"aaa"})}, Add(("s",), frozenset({b"zz", b""}))),
    ({"n": Decimal("1.5")}, Add(("n",), 10**18)),
    ({"n": Decimal("0." + "1" * 34)}, Add(("n",), 1)),
    ({"n": "text"}, Add(("n",), 1)),
    ({"n": [1]}, Add(("n",), 1)),
]


@pytest.mark.parametrize(("start", "change"), CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("upsert", [True, False])
def test_single_changes(collection: Documents, start: Item, change: Change, upsert: bool) -> None:
    """Maps and sets stay sorted, sums stay exact, errors are those of the contract."""
    bench = Bench(collection, PLAIN)
    bench.store({"k": "x", **start})
    judge(bench, Update(Context(), PLAIN, {"k": "x"}, Changes([change]), upsert=upsert))


@pytest.mark.parametrize("change", [Set(("m", "x"), 1), SetIfAbsent(("a",), 1), Set(("a",), 1)])
@pytest.mark.parametrize("upsert", [True, False])
def test_updates_of_expired_items(collection: Documents, change: Change, upsert: bool) -> None:
    """The item is absent, whichever form the update has."""
    bench = Bench(collection, EXPIRING)
    bench.store({"k": "x", "m": {}, "c": SECOND - 5})
    judge(bench, Update(Context(), EXPIRING, {"k": "x"}, Changes([change]), upsert=upsert))


@pytest.mark.parametrize("condition", [F.k.not_exists(), F.k != "x", F.k == "x", F.k.exists()])
@pytest.mark.parametrize("there", [True, False])
def test_conditions_on_key_attributes(collection: Documents, condition: Condition, there: bool) -> None:
    """A missing item has none of them, although a document that is about to be inserted has."""
    bench = Bench(collection, PLAIN)
    for operation in (
        Update(Context(), PLAIN, {"k": "x"}, Changes([SetIfAbsent(("a",), 1)]), condition, upsert=True),
        Put(Context(), PLAIN, {"k": "x", "a": 2}, condition),
        DeleteItem(Context(), PLAIN, {"k": "x"}, condition),
    ):
        item: Item = {"k": "x", "b": 1}
        bench.store(*([item] if there else []))
        judge(bench, operation)
