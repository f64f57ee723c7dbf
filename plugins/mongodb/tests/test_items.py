"""What plans of single items send, and what becomes of lost answers and other writers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from pymongo.collection import Collection

from isthmus import F, Table
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    Conflict,
    InvalidStoredValue,
    ItemNotFound,
    OutcomeUnknown,
    UniqueViolation,
)
from isthmus.expressions import ALWAYS, Add, Changes, Condition, Remove, Set, SetIfAbsent
from isthmus.expressions import Action as Change
from isthmus.operation_ids import new_operation_id
from isthmus.operations import Create, Delete, Get, Put, Resolve, Update
from isthmus.planned import drive
from isthmus.results import ResolveResult
from isthmus.values import Item
from isthmus_mongodb import conditions, items
from isthmus_mongodb.expressions import Reader
from isthmus_mongodb.layouts import OPERATION, layout_of
from plugins.mongodb.tests.running import NOW, Bench, context

TABLE = Table("items", "k")
KEY: Item = {"k": "x"}
ITEM: Item = {"k": "x", "n": 1, "m": {"x": 1}}


@pytest.fixture
def bench(collection: Collection[dict[str, Any]]) -> Bench:
    """The table with one item."""
    bench = Bench(collection, TABLE)
    bench.store(ITEM)
    return bench


def updating(*changes: Change, when: Condition | None = None, upsert: bool = False, **given: Any) -> Update:
    """An update of the one key."""
    return Update(given.pop("context", context()), TABLE, KEY, Changes(changes), when, upsert, **given)


# ---- requests ----


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Get(context(), TABLE, KEY), ["find_one"]),
        (Create(context(), TABLE, {"k": "new"}), ["insert_one"]),
        (Put(context(), TABLE, ITEM), ["replace_one"]),
        (Put(context(), TABLE, ITEM, returning="old"), ["find_one_and_replace"]),
        (Put(context(), TABLE, ITEM, F.n == 1), ["replace_one"]),
        (Put(context(), TABLE, ITEM, F.n != 2), ["find_one_and_update"]),
        (Delete(context(), TABLE, KEY), ["delete_one"]),
        (Delete(context(), TABLE, KEY, F.n == 1), ["delete_one"]),
        (Delete(context(), TABLE, KEY, returning="old"), ["find_one_and_delete"]),
        (updating(Set(("a",), 1), Add(("n",), 5), Remove(("m",))), ["update_one"]),
        (updating(Add(("n",), 5), when=F.n == 1), ["update_one"]),
        (updating(Add(("n",), 5), returning="new"), ["find_one_and_update"]),
        (updating(Add(("n",), 5), upsert=True), ["find_one_and_update"]),
        (updating(Set(("m", "x"), 2), when=F.n < 9), ["find_one_and_update"]),
        (updating(Add(("n",), Decimal("0.5"))), ["find_one", "replace_one"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else value.kind,
)
def test_usual_operations_are_one_request(bench: Bench, operation: Any, expected: list[str]) -> None:
    """Only what the server can't express exactly is read first."""
    bench.run(operation)
    assert bench.sent == Counter(expected)


@pytest.mark.parametrize(
    "operation",
    [
        Put(context(), TABLE, ITEM, F.n == 2),
        Put(context(), TABLE, ITEM, F.n != 1),
        Delete(context(), TABLE, KEY, F.n == 2),
        updating(Add(("n",), 5), when=F.n == 2),
        updating(Set(("m", "x"), 5), when=F.n == 2),
    ],
)
def test_a_failed_condition_tells_the_current_item(bench: Bench, operation: Any) -> None:
    """And changes nothing."""
    with pytest.raises(ConditionFailed) as caught:
        bench.run(operation)
    assert (caught.value.current, bench.stored(KEY)) == (ITEM, ITEM)


@pytest.mark.parametrize(
    ("start", "delta", "expected"),
    [
        (2**63 - 2, 1, 2**63 - 1),
        (2**63 - 1, 1, 2**63),
        (-(2**63), -1, -(2**63) - 1),
        (2**31 - 1, 1, 2**31),
        (Decimal("0.5"), 1, Decimal("1.5")),
        (Decimal("9999999999999999999999999999999.99"), 1, Decimal("10000000000000000000000000000000.99")),
        (2**63, -(2**63), 0),
    ],
)
@pytest.mark.parametrize("path", [("n",), ("m", "n")])
@pytest.mark.parametrize("returning", [None, "new", "old"])
def test_sums_are_exact(bench: Bench, start: Any, delta: int, expected: Any, path: Any, returning: Any) -> None:
    """Beyond 64 bits and with decimals, where ``$inc`` and ``$add`` round or turn to doubles (rule NUM-10)."""
    bench.store({"k": "x", "n": start, "m": {"n": start}})
    bench.run(updating(Add(path, delta), returning=returning))
    stored: Any = bench.stored(KEY)
    found = stored["n"] if len(path) == 1 else stored["m"]["n"]
    assert (type(found), found) == (type(expected), expected)


# ---- other writers ----


def test_a_foreign_unique_index_is_told_apart(bench: Bench) -> None:
    """A clash in another unique index is no item that exists already (rule CND-3)."""
    bench.collection.create_index("u", unique=True, sparse=True)
    bench.store({"k": "x", "u": 1}, {"k": "y"})
    for operation in (
        Create(context(), TABLE, {"k": "z", "u": 1}),
        Put(context(), TABLE, {"k": "y", "u": 1}),
        Put(context(), TABLE, {"k": "z", "u": 1}, F.u != 2),
        Put(context(), TABLE, {"k": "y", "u": 1}, F.k == "y"),
        evolve(updating(Set(("u",), 1)), key={"k": "y"}),
        evolve(updating(SetIfAbsent(("u",), 1)), key={"k": "y"}),
    ):
        with pytest.raises(UniqueViolation, match="unique index"):
            bench.run(operation)
    bench.collection.drop_index("u_1")


def test_puts_need_not_understand_what_they_replace(bench: Bench) -> None:
    """A document with a foreign value is refused when it is read, and can be replaced."""
    bench.collection.replace_one({"_id": KEY}, {"a": float("nan")})
    with pytest.raises(InvalidStoredValue, match="a is a BSON float"):
        bench.run(Get(context(), TABLE, KEY))
    bench.run(Put(context(), TABLE, ITEM))
    assert bench.stored(KEY) == ITEM


def interfering(bench: Bench, times: int) -> Callable[[Any], Any]:
    """A transport before each of whose replacements somebody else writes, so many times."""
    left = iter(range(times))

    def send(call: Any) -> Any:
        if call.method in ("replace_one", "insert_one") and next(left, None) is not None:
            bench.collection.update_one({"_id": KEY}, {"$inc": {"other": 1}})
        return bench.send(call)

    return send


def test_a_swap_never_loses_another_write(bench: Bench) -> None:
    """What was written between reading and swapping is read again."""
    drive(items.update(bench.place, updating(Add(("n",), Decimal("0.5")))), interfering(bench, 3))
    assert bench.stored(KEY) == {**ITEM, "n": Decimal("1.5"), "other": 3}


def test_a_swap_that_never_succeeds_is_a_conflict(bench: Bench) -> None:
    """Which the core retries later; nothing was applied."""
    with pytest.raises(Conflict, match="other writers") as caught:
        drive(items.update(bench.place, updating(Add(("n",), Decimal("0.5")))), interfering(bench, 1000))
    assert (caught.value.retryable, caught.value.maybe_applied) == (True, False)


@pytest.mark.parametrize("delta", [1, Decimal("0.5")])
@pytest.mark.parametrize("path", [("n",), ("m", "x")])
def test_concurrent_sums_lose_nothing(bench: Bench, delta: Any, path: Any) -> None:
    """Four writers of one item, each until its write is in."""

    def work() -> None:
        for _ in range(10):
            while True:
                try:
                    Bench(bench.collection, TABLE).run(updating(Add(path, delta)))
                except Conflict:
                    continue
                break

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored: Any = bench.stored(KEY)
    assert (stored["n"] if path == ("n",) else stored["m"]["x"]) == 1 + 40 * delta


def test_one_of_many_creators_wins(bench: Bench) -> None:
    """Conditional puts of a missing item from several threads: one is applied, the others see it."""
    bench.store()
    outcomes: list[str] = []

    def work(number: int) -> None:
        try:
            Bench(bench.collection, TABLE).run(Put(context(), TABLE, {"k": "x", "n": number}, F.n.not_exists()))
            outcomes.append("won")
        except ConditionFailed as error:
            outcomes.append("lost" if error.current == bench.stored(KEY) else "wrong")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 5 + ["won"]


# ---- operation ids ----

WRITES: list[Callable[[Any], Any]] = [
    lambda known: Create(known, TABLE, {"k": "x", "n": 2}),
    lambda known: Put(known, TABLE, {"k": "x", "n": 2}, F.k.not_exists()),
    lambda known: Put(known, TABLE, {"k": "x", "n": 2}, F.n != 2),
    lambda known: Put(known, TABLE, {"k": "x", "n": 2}, returning="old"),
    lambda known: updating(Add(("n",), 2), context=known, upsert=True),
    lambda known: updating(Add(("n",), 2), SetIfAbsent(("b",), 1), context=known, upsert=True),
]
NAMES = ["create", "put if absent", "put if different", "put for the old image", "add", "pipeline"]


def later(seconds: float) -> str:
    """An id of another writer, so much younger or older than now."""
    own = new_operation_id()
    return f"{int(own[:11], 16) + int(seconds * 1000):011x}{own[11:]}"


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
@pytest.mark.parametrize("repeated", [True, False])
def test_a_second_attempt_changes_nothing(bench: Bench, write: Any, repeated: bool) -> None:
    """A repetition succeeds as the first attempt did; a first attempt that arrives late does so, too."""
    bench.store()
    known = context(new_operation_id())
    bench.run(evolve(write(known), returning=None))
    after = bench.raw(KEY)
    bench.run(evolve(write(evolve(known, repeated=repeated)), returning=None))
    assert (bench.raw(KEY), after is None) == (after, False)


@pytest.mark.parametrize("write", [WRITES[0], WRITES[4]], ids=["create", "add"])
def test_a_repetition_answers_the_new_image(bench: Bench, write: Any) -> None:
    """The item that the first attempt left."""
    bench.store()
    known = context(new_operation_id())
    bench.run(write(known))
    result = bench.run(evolve(write(evolve(known, repeated=True)), returning="new"))
    assert result.item == {"k": "x", "n": 2}


def test_an_image_that_was_lost_is_not_made_up(bench: Bench) -> None:
    """The item before a write that was applied is nowhere."""
    known = context(new_operation_id())
    bench.run(updating(Add(("n",), 2), context=known))
    with pytest.raises(OutcomeUnknown, match="was applied"):
        bench.run(updating(Add(("n",), 2), context=evolve(known, repeated=True), returning="old"))


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
def test_a_repetition_after_another_writer_is_unknown(bench: Bench, write: Any) -> None:
    """Whether the first attempt was applied before can't be told, so neither success nor failure is claimed."""
    bench.collection.update_one({"_id": KEY}, {"$set": {OPERATION: later(-5)}})
    before = bench.raw(KEY)
    with pytest.raises(OutcomeUnknown, match="somebody else"):
        bench.run(write(context(new_operation_id(), repeated=True)))
    assert bench.raw(KEY) == before


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
def test_a_repetition_after_a_writer_without_an_id_is_unknown(bench: Bench, write: Any) -> None:
    """A plain put may have covered the first attempt."""
    before = bench.raw(KEY)
    with pytest.raises(OutcomeUnknown, match="somebody else"):
        bench.run(write(context(new_operation_id(), repeated=True)))
    assert (bench.raw(KEY), before is None) == (before, False)


def test_a_repetition_of_what_was_never_applied_is_judged(bench: Bench) -> None:
    """As any first attempt: it is applied, or fails for the reason that it has."""
    bench.collection.update_one({"_id": KEY}, {"$set": {OPERATION: later(-60)}})
    again = context(new_operation_id(), repeated=True)
    with pytest.raises(AlreadyExists):
        bench.run(Create(again, TABLE, ITEM))
    with pytest.raises(ConditionFailed):
        bench.run(updating(Add(("n",), 2), context=again, when=F.n == 9))
    with pytest.raises(OutcomeUnknown, match="gone"):
        bench.run(evolve(updating(Add(("n",), 2), context=again), key={"k": "other"}))
    bench.run(updating(Add(("n",), 2), context=again))
    assert bench.stored(KEY) == {**ITEM, "n": 3}


def test_a_repeated_delete_of_nothing_is_unknown(bench: Bench) -> None:
    """It removed the item, or somebody else did; a first attempt says that the condition is false."""
    bench.store()
    first = Delete(context(new_operation_id()), TABLE, KEY, F.n == 1)
    with pytest.raises(ConditionFailed):
        bench.run(first)
    with pytest.raises(OutcomeUnknown, match="gone"):
        bench.run(evolve(first, context=evolve(first.context, repeated=True)))


def test_ids_are_never_read(bench: Bench) -> None:
    """Hidden fields are no attributes."""
    bench.run(updating(Set(("a",), 1), context=context(new_operation_id())))
    bench.collection.update_one({"_id": KEY}, {"$inc": {"__lk": 1}})
    assert bench.run(Get(context(), TABLE, KEY)).item == {**ITEM, "a": 1}


MINE = new_operation_id()


@pytest.mark.parametrize(
    ("there", "outcome"),
    [(MINE, "applied"), (None, "unknown"), (later(-60), "not_applied"), (later(1), "unknown"), ("gone", "unknown")],
    ids=["own", "none", "older", "younger", "gone"],
)
def test_resolving(bench: Bench, there: str | None, outcome: Any) -> None:
    """What the trace of a write tells, or the lack of it."""
    if there == "gone":
        bench.store()
    elif there is not None:
        bench.collection.update_one({"_id": KEY}, {"$set": {OPERATION: there}})
    assert bench.run(Resolve(context(), TABLE.name, KEY, MINE)) == ResolveResult(outcome)


# ---- expiry ----


@pytest.fixture
def expiring(collection: Collection[dict[str, Any]]) -> Bench:
    """A table whose one item expired a moment ago."""
    bench = Bench(collection, Table("items", "k", ttl="until"))
    bench.store({"k": "x", "n": 1, "until": Decimal("4000000000.2")})
    assert NOW == 4_000_000_000.25
    return bench


@pytest.mark.parametrize(
    ("changes", "expected"),
    [([Add(("n",), 5)], {"k": "x", "n": 5}), ([Set(("m",), 1), SetIfAbsent(("n",), 7)], {"k": "x", "m": 1, "n": 7})],
)
def test_an_update_of_an_expired_item_starts_anew(expiring: Bench, changes: list[Change], expected: Any) -> None:
    """Nothing of the old item is left, its date neither (rule TTL-2)."""
    expiring.run(Update(context(), expiring.table, KEY, Changes(changes), upsert=True))
    assert (expiring.stored(KEY), "__exp" in (expiring.raw(KEY) or {})) == (expected, False)


def test_an_expired_item_is_absent(expiring: Bench) -> None:
    """For reads, updates, deletes and conditions; a create takes its place."""
    table = expiring.table
    assert expiring.run(Get(context(), table, KEY)).item is None
    assert not expiring.run(Delete(context(), table, KEY)).existed
    with pytest.raises(ItemNotFound):
        expiring.run(Update(context(), table, KEY, Changes([Add(("n",), 1)])))
    with pytest.raises(ConditionFailed) as caught:
        expiring.run(Put(context(), table, {"k": "x"}, F.n == 1))
    assert caught.value.current is None
    expiring.run(Create(context(), table, {"k": "x", "n": 9}))
    assert expiring.stored(KEY) == {"k": "x", "n": 9}


def test_a_moment_earlier_it_is_there(expiring: Bench) -> None:
    """The clock decides, not the server's."""
    expiring.now = 1_800_000_000.0
    assert expiring.run(Delete(context(), expiring.table, KEY, ALWAYS)).existed


@pytest.mark.parametrize("change", [Add(("n",), 2), SetIfAbsent(("b",), 2), Add(("n",), Decimal("0.5"))])
@pytest.mark.parametrize("returning", [None, "new"])
def test_an_update_that_arrives_late_changes_nothing(bench: Bench, change: Change, returning: Any) -> None:
    """After its repetition was applied, the first attempt finds its own id, in every form of the update."""
    known = context(new_operation_id())
    bench.collection.update_one({"_id": KEY}, {"$set": {OPERATION: later(-60)}})
    bench.run(updating(change, context=evolve(known, repeated=True)))
    after = bench.raw(KEY)
    bench.run(updating(change, context=known, returning=returning))
    assert bench.raw(KEY) == after


@pytest.mark.parametrize("ends", [F.a.between("x" * 300_000, "y" * 300_000), F.a.begins_with("x" * 600_000)])
def test_large_constants_are_left_to_the_evaluator(ends: Any) -> None:
    """Twice in a command of 16 MB at most, several of them would not fit."""
    assert conditions.test_of(ends, Reader(layout_of(TABLE))) is None


@pytest.mark.parametrize("write", [Create, Put])
def test_a_value_that_is_taken_is_not_in_the_cause(bench: Bench, write: Any) -> None:
    """The server's message holds the value."""
    bench.collection.create_index("mail", unique=True, sparse=True)
    bench.run(Put(context(), TABLE, {"k": "m", "mail": "secret"}))
    with pytest.raises(UniqueViolation) as caught:
        bench.run(write(context(), TABLE, {"k": "o", "mail": "secret"}))
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
