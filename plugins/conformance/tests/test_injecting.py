"""Faults that tests ask for: what programs meet, and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import isthmus
from isthmus.errors import Conflict, OutcomeUnknown, Throttled, Unavailable
from isthmus.memory import MemoryBackend
from isthmus_conformance.testing import Faults
from isthmus_conformance.testing.faults import InjectingBackend


@pytest.fixture
def faults() -> Faults:
    """None at first."""
    return Faults()


@pytest.fixture(params=["memory", "sqlite"])
def table(request: pytest.FixtureRequest, faults: Faults) -> Iterator[isthmus.BoundTable]:
    """A table with one item, whose database waits very little between attempts."""
    backend = MemoryBackend() if request.param == "memory" else isthmus.connect("sqlite://").backend
    policy = isthmus.RetryPolicy(attempts=4, base=0.001)
    with isthmus.connect(InjectingBackend(backend, faults, closes=True), retry_policy=policy) as database:
        made = database.table("users", partition_key="id").ensure()
        made.put({"id": "a", "n": 0})
        faults.clear()
        yield made


def count(table: isthmus.BoundTable) -> Any:
    """What the item counts to, by a read that no fault hits."""
    return table.get(id="a")["n"]


@pytest.mark.parametrize("fault", ["throttle", "conflict"])
def test_a_fault_without_effect_is_retried(table: isthmus.BoundTable, faults: Faults, fault: str) -> None:
    """Two attempts are hit, the third succeeds, and the work is done once."""
    injected = getattr(faults, fault)("update", times=2)
    table.update(id="a", add={"n": 1})
    assert (injected.hits, faults.attempts) == (2, ["update"] * 3)
    assert count(table) == 1


@pytest.mark.parametrize(("fault", "error"), [("throttle", Throttled), ("conflict", Conflict)])
def test_a_fault_without_end_reaches_the_program(
    table: isthmus.BoundTable, faults: Faults, fault: str, error: type[Exception]
) -> None:
    """After all attempts, and nothing was applied."""
    with getattr(faults, fault)("writes", times=None) as injected, pytest.raises(error):
        table.update(id="a", add={"n": 1})
    assert injected.hits == 4
    assert count(table) == 0


@pytest.mark.parametrize(("fault", "applied"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_lost_answer_leaves_the_outcome_open(
    table: isthmus.BoundTable, faults: Faults, fault: str, applied: int
) -> None:
    """A write that can't be repeated ends as OutcomeUnknown either way; only the store knows which."""
    getattr(faults, fault)("update")
    with pytest.raises(OutcomeUnknown):
        table.update(id="a", add={"n": 1})
    assert faults.attempts == ["update"]
    assert count(table) == applied


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_a_lost_answer_to_a_harmless_call_is_retried(table: isthmus.BoundTable, faults: Faults, fault: str) -> None:
    """A put without a condition, and a read, may be repeated."""
    injected = getattr(faults, fault)(times=2)
    table.put({"id": "a", "n": 5})
    assert count(table) == 5
    assert (injected.hits, faults.attempts) == (2, ["put", "put", "put", "get"])


def test_a_silent_store_is_unavailable(table: isthmus.BoundTable, faults: Faults) -> None:
    """Where each attempt of a read is hit."""
    faults.timeout_before("reads", times=None)
    with pytest.raises(Unavailable):
        table.get(id="a")


def test_only_the_chosen_kinds_and_tables_are_hit(table: isthmus.BoundTable, faults: Faults) -> None:
    """The others never notice."""
    other = table.database.table("others", partition_key="id").ensure()
    injected = faults.throttle("put", table=other, times=None)
    table.put({"id": "b"})
    other.update(id="a", set={"n": 1}, upsert=True)
    assert injected.hits == 0
    with pytest.raises(Throttled):
        other.put({"id": "b"})


@pytest.mark.parametrize("given", [lambda table: table, lambda table: table.schema, lambda table: table.name])
def test_a_table_is_given_in_any_form(
    table: isthmus.BoundTable, faults: Faults, given: Callable[[isthmus.BoundTable], Any]
) -> None:
    """Bound, declared, or its name."""
    injected = faults.throttle("put", table=given(table))
    table.put({"id": "b"})
    assert injected.hits == 1


def test_transactions_are_hit_by_their_tables(table: isthmus.BoundTable, faults: Faults) -> None:
    """As one operation on all of them."""
    injected = faults.conflict("transact_write", table="users", times=2)
    table.database.transact_write([table.actions.put({"id": "b"})])
    assert (injected.hits, faults.attempts) == (2, ["transact_write"] * 3)


def test_chance_is_the_same_in_each_run(table: isthmus.BoundTable, faults: Faults) -> None:
    """About as many as the probability says, and the same ones for the same seed."""
    found = []
    for seed in (1, 1, 2):
        faults.clear()
        with faults.throttle("get", probability=0.3, times=None, seed=seed):
            for _turn in range(40):
                try:
                    table.get(id="a")
                except Throttled:
                    faults.attempts.append("gave up")
        found.append(list(faults.attempts))
    assert found[0] == found[1] != found[2]
    assert 45 < len(found[0]) < 80


def test_a_fault_ends_with_its_block(table: isthmus.BoundTable, faults: Faults) -> None:
    """Whether it hit anything or not."""
    with faults.throttle("put", times=5) as injected:
        table.get(id="a")
    table.put({"id": "b"})
    assert (injected.hits, faults.attempts) == (0, ["get", "put"])


def test_a_fault_of_ones_own(table: isthmus.BoundTable, faults: Faults) -> None:
    """Any error, made for the operation that it hits."""
    faults.inject("delete", error=lambda operation: PermissionError(operation.kind))
    with pytest.raises(isthmus.IsthmusError) as raised:
        table.delete(id="a")
    assert isinstance(raised.value.__cause__, PermissionError)


@pytest.mark.parametrize(
    ("kinds", "options"),
    [(["putt"], {}), (["put"], {"times": 0}), (["put"], {"probability": 1.5}), (["create_table"], {})],
)
def test_what_can_mean_nothing_is_refused(faults: Faults, kinds: list[str], options: Any) -> None:
    """A slip would hit nothing, and the test would prove nothing."""
    with pytest.raises(ValueError, match=r"no operation|times"):
        faults.throttle(*kinds, **options)


@pytest.mark.parametrize(("fault", "applied"), [("timeout_before", 0), ("timeout_after", 1)])
def test_async(faults: Faults, fault: str, applied: int) -> None:
    """The same faults on an event loop."""

    async def work() -> Any:
        policy = isthmus.RetryPolicy(base=0.001)
        async with isthmus.aconnect(InjectingBackend(MemoryBackend(), faults), retry_policy=policy) as database:
            table = await database.table("users", partition_key="id").ensure()
            faults.throttle("put", times=2)
            await table.put({"id": "a", "n": 0})
            getattr(faults, fault)("update")
            with pytest.raises(OutcomeUnknown):
                await table.update(id="a", add={"n": 1})
            return (await table.get(id="a"))["n"]

    assert asyncio.run(work()) == applied
    assert faults.attempts == ["put"] * 3 + ["update", "get"]


@pytest.mark.parametrize("engine", ["mongodb_url", "dynamodb_url"])
def test_a_store_that_knows_its_writes_again(request: pytest.FixtureRequest, faults: Faults, engine: str) -> None:
    """There a lost answer is settled by the operation's id: the write is repeated, and applied once."""
    backend = isthmus.connect(request.getfixturevalue(engine)).backend
    policy = isthmus.RetryPolicy(base=0.001)
    with isthmus.connect(InjectingBackend(backend, faults, closes=True), retry_policy=policy) as database:
        table = database.table(f"injecting-{engine[:7]}", partition_key="id").ensure()
        try:
            table.put({"id": "a", "n": 0})
            faults.clear()
            faults.timeout_after("update")
            table.update(id="a", add={"n": 1})
            assert (count(table), faults.attempts) == (1, ["update", "update", "get"])
        finally:
            table.drop()
