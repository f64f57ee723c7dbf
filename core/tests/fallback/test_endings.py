"""How calls end that can't go on: lost answers, slow clients, deadlines, sizes, formats, tables that don't fit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from core.tests.fallback.clients import Bank, Killed, Wall, at, fallback_of, kill, recover_often, transfer, watch
from isthmus import BoundTable, Database, F, aconnect, connect
from isthmus import operations as op
from isthmus.errors import (
    ConditionFailed,
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    InvalidArgument,
    ItemChanged,
    ItemTooLarge,
    OutcomeUnknown,
    SchemaMismatch,
    TransactionFailed,
    UnsupportedOperation,
)
from isthmus.fallback.store import Place, Swap
from tests.patience import judged_only_if, with_enough_time

BEFORE = {"a": 100, "b": 100, "c": 0}
AFTER = {"a": 90, "b": 110, "c": 0}


class AnswerLost(Exception):
    """What a client sees of a request without an answer."""


@pytest.fixture
def bank() -> Bank:
    """A store with three accounts."""
    return Bank()


@pytest.fixture
def table(bank: Bank) -> BoundTable:
    """The accounts of one client."""
    bank.accounts(**BEFORE)
    return bank.table(bank.patient())


def lose(bank: Bank, which: Callable[[Swap], bool], *, applied: bool, times: int = 1) -> list[Swap]:
    """Let answers of swaps be lost; those that were sent."""
    cas, sent = bank.store.cas, []

    def losing(swap: Swap) -> bool:
        if not which(swap):
            return cas(swap)
        sent.append(swap)
        if len(sent) > times:
            return cas(swap)
        if applied:
            cas(swap)
        raise AnswerLost

    object.__setattr__(bank.store.item_store, "cas", losing)
    return sent


def to_state(state: str) -> Callable[[Swap], bool]:
    """Swaps that put a record into a state."""
    return lambda swap: swap.new is not None and swap.new.get("state") == state


def locks(swap: Swap) -> bool:
    """Swaps that lock something."""
    return swap.new is not None and "__tx" in swap.new


# ---- lost answers ----


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("which", [to_state("pending"), locks], ids=["record", "lock"])
def test_a_record_and_a_lock_are_sent_once(
    bank: Bank, table: BoundTable, which: Callable[[Swap], bool], applied: bool
) -> None:
    """After a lost answer the client looks; what is not there is given up, never sent again."""
    sent = lose(bank, which, applied=applied)
    transfer(table)
    attempts = {(swap.place.key["id"], repr(swap.new and swap.new.get("__tx", swap.new.get("try")))) for swap in sent}
    assert sent
    assert len(attempts) == len(sent)
    bank.recovered()
    assert bank.amounts() == AFTER


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_a_lost_commit_is_looked_up(bank: Bank, table: BoundTable, applied: bool) -> None:
    """The record tells; where it is still pending the commit is sent again."""
    sent = lose(bank, to_state("committed"), applied=applied)
    transfer(table)
    assert len(sent) == (1 if applied else 2)
    assert bank.amounts() == AFTER


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_a_lost_apply_is_sent_again(bank: Bank, table: BoundTable, applied: bool) -> None:
    """Applying twice does nothing."""
    lose(bank, lambda swap: bool(swap.expected and swap.expected.lock), applied=applied, times=2)
    transfer(table)
    bank.recovered()
    assert bank.amounts() == AFTER


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_an_unknown_commit_can_be_resolved(bank: Bank, table: BoundTable, applied: bool) -> None:
    """When nobody can be asked either, the error names the attempt, and anybody learns what became of it."""
    lose(bank, to_state("committed"), applied=applied, times=1_000)
    reads = bank.store.get

    def unreadable(place: Place) -> Any:
        if place.table.name == "isthmus_transactions":
            raise AnswerLost
        return reads(place)

    def attempt(seconds: float) -> str | None:
        with pytest.raises((OutcomeUnknown, DeadlineExceeded)) as caught:
            transfer(table, timeout=seconds)
        judged_only_if(caught.type is OutcomeUnknown)
        return caught.value.operation_id

    object.__setattr__(bank.store.item_store, "get", unreadable)
    operation_id = with_enough_time(attempt)
    object.__setattr__(bank.store.item_store, "get", reads)
    assert operation_id is not None
    other = bank.patient()
    assert other.resolve(operation_id) == ("applied" if applied else "not_applied")
    assert other.resolve(operation_id) == ("applied" if applied else "not_applied")
    bank.recovered()
    assert bank.amounts() == (AFTER if applied else BEFORE)
    assert other.resolve(operation_id) == "unknown"  # forgotten is not "not applied"


@pytest.mark.parametrize("operation_id", ["x", "", "AAAA"])
def test_what_is_no_operation_id_is_refused(table: BoundTable, operation_id: str) -> None:
    """Only what an error carried can be resolved."""
    with pytest.raises(InvalidArgument):
        table.database.resolve(operation_id)


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("act", ["put", "update", "delete"])
def test_a_lost_single_write_is_done_once(bank: Bank, table: BoundTable, act: str, applied: bool) -> None:
    """What is still as it was before is written again; the same swap can't be done twice."""
    lose(bank, lambda swap: swap.place.key == {"id": "a"}, applied=applied)
    calls: dict[str, Callable[[], Any]] = {
        "put": lambda: table.put({"id": "a", "n": 101}), "update": lambda: table.update(id="a", add={"n": 1}),
        "delete": lambda: table.delete(id="a"),
    }  # fmt: skip
    calls[act]()
    assert bank.amounts().get("a") == (None if act == "delete" else 101)


def test_a_lost_create_is_unknown(bank: Bank, table: BoundTable) -> None:
    """Absence comes back, so a create is sent once."""
    sent = lose(bank, lambda swap: swap.place.key == {"id": "d"}, applied=False)
    with pytest.raises(OutcomeUnknown):
        table.create({"id": "d"})
    assert len(sent) == 1


# ---- slow clients ----


def test_a_slow_client_is_told_the_truth(bank: Bank) -> None:
    """Stopped between its locks and its commit and overtaken, it does not commit; it tries again and succeeds."""
    table = bank.accounts(**BEFORE)
    other = bank.client()
    watch(table.database, at("before_commit", lambda: recover_often(other)))
    transfer(table)
    assert bank.amounts() == AFTER
    bank.recovered()


def test_a_client_that_wakes_up_after_the_commit_harms_nothing(bank: Bank) -> None:
    """Others finished for it, and wrote since."""
    table = bank.accounts(**BEFORE)
    other = bank.table(bank.client())
    watch(table.database, at("before_apply_1", lambda: other.update(id="a", add={"n": 1})))
    transfer(table)
    bank.recovered()
    assert bank.amounts() == {**AFTER, "a": 91}


def test_a_purged_record_makes_a_late_commit_unknown(bank: Bank) -> None:
    """Nobody guesses: the commit was lost, and the record that could tell is gone."""
    table = bank.accounts(**BEFORE)
    other = bank.client()

    def purge() -> None:
        recover_often(other)
        bank.wall.now += 10_000
        other.recover()

    lose(bank, to_state("committed"), applied=False)
    watch(table.database, at("after_commit", purge))
    with pytest.raises(OutcomeUnknown):
        transfer(table)
    assert bank.amounts() == BEFORE


def test_renewal_keeps_a_slow_transaction_alive(bank: Bank) -> None:
    """Half of the lease is gone at each step, and others look all the time: nobody stops it."""
    table = bank.accounts(**BEFORE)
    mine = fallback_of(table.database).shared.leases
    other = bank.client()
    theirs = fallback_of(other).shared.leases
    clock = Wall(0.0)
    mine.monotonic = theirs.monotonic = clock
    states: list[Any] = []

    def pass_time(_step: str) -> None:
        clock.now += 1.4
        other.recover()
        states.extend(record["state"] for record in bank.records())

    watch(table.database, pass_time)
    transfer(table)
    assert bank.amounts() == AFTER
    assert len(states) > 20
    assert "aborted" not in states


@pytest.mark.parametrize("days", [-1, 1])
def test_a_wrong_wall_clock_only_delays(bank: Bank, days: int) -> None:
    """A client whose clock is a day off neither stops a live transaction at once nor waits for ever."""
    table = bank.accounts(**BEFORE)
    watch(table.database, at("after_lock_3", kill))
    with pytest.raises(Killed):
        transfer(table)
    other = connect(bank.store, clock=lambda: bank.wall.now + days * 86_400)
    clock = Wall(0.0)
    fallback_of(other).shared.leases.monotonic = clock
    assert other.recover().left == 1
    clock.now += 0.2
    assert other.recover().left == 1
    clock.now += 5.5
    other.recover()
    assert bank.locked() == []
    assert bank.amounts() == BEFORE


# ---- deadlines and cancellation ----

# Longer than a machine stands still; nobody waits for it.
TIMEOUT = 30.0


@pytest.fixture
def outlast(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the deadline pass, which the calls' own clock judges."""
    real, passed = time.monotonic, list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(passed))
    return lambda: passed.append(TIMEOUT)


def test_a_deadline_leaves_nothing(bank: Bank, table: BoundTable, outlast: Callable[[], None]) -> None:
    """The time is over while items are locked: everything is taken back, at once."""
    watch(table.database, at("after_lock_3", outlast))
    started = time.perf_counter()
    with pytest.raises(DeadlineExceeded) as caught:
        transfer(table, timeout=TIMEOUT)
    assert caught.value.maybe_applied is False
    assert time.perf_counter() - started < 10
    assert bank.amounts() == BEFORE
    assert bank.records() == []


def test_a_lock_that_nobody_could_look_at_is_found_again(
    bank: Bank, table: BoundTable, outlast: Callable[[], None]
) -> None:
    """Its answer was lost, and there was no time left: the record stays, so that recovery knows where it is."""
    lose(bank, lambda swap: locks(swap) and swap.place.key["id"] == "b", applied=True)
    watch(table.database, at("after_lock_2", outlast))
    with pytest.raises(DeadlineExceeded) as caught:
        transfer(table, timeout=TIMEOUT)
    assert caught.value.maybe_applied is False
    assert bank.locked() == ["b"]
    bank.client().recover()
    assert bank.amounts() == BEFORE


@pytest.mark.parametrize("step", ["before_release_1", "after_release_2", "before_give_up", "after_give_up"])
def test_a_client_that_dies_giving_up_leaves_no_lock_for_good(
    bank: Bank, table: BoundTable, outlast: Callable[[], None], step: str
) -> None:
    """Its record goes after its locks, so that recovery finds whatever is left."""
    points = {"after_lock_3": outlast, step: kill}
    watch(table.database, lambda name: points.get(name, lambda: None)())
    with pytest.raises(Killed):
        transfer(table, timeout=TIMEOUT)
    recover_often(bank.client())
    assert bank.locked() == []
    assert bank.amounts() == BEFORE


def test_after_the_commit_it_is_a_success(bank: Bank, table: BoundTable, outlast: Callable[[], None]) -> None:
    """Whatever is left to apply."""
    watch(table.database, at("after_commit", outlast))
    transfer(table, timeout=TIMEOUT)
    bank.recovered()
    assert bank.amounts() == AFTER


def test_a_cancelled_task_is_a_dead_client(bank: Bank, table: BoundTable) -> None:
    """Others deal with what it left."""

    async def cancelled() -> None:
        database = await aconnect(bank.store, clock=bank.wall, fallback={"sweep_s": 1e9})
        accounts = database.table(table.schema)
        do = accounts.actions
        task = asyncio.current_task()
        assert task is not None
        # Waiting for a lock is where a task is interrupted; somebody else's is in the way.
        asyncio.get_running_loop().call_later(0.05, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await database.transact_write([do.put({"id": "0"}), do.put({"id": "a"})])
        task.uncancel()
        await database.close()

    blocker = bank.table(bank.client())
    watch(blocker.database, at("after_lock_1", kill))
    with pytest.raises(Killed):
        transfer(blocker)
    asyncio.run(cancelled())
    bank.recovered()
    assert bank.amounts() == BEFORE


# ---- what does not fit ----


@pytest.mark.parametrize("more", [0, 1])
def test_both_images_must_fit(bank: Bank, more: int) -> None:
    """Where an item has no room for a lock its action fails, and nothing is applied."""
    table = bank.accounts(**BEFORE)
    object.__setattr__(bank.store.item_store, "item_bytes", 4_096 + 2 * 1_000)
    table.put({"id": "d", "t": "t" * (1_000 - len("idd") - len("t"))})
    do = table.actions
    actions: list[op.Action] = [
        do.update(id="a", set={"n": 0}),
        do.put({"id": "d", "t": "t" * (1_000 - len("iddt") + more)}),
    ]
    if not more:
        table.database.transact_write(actions)
        return
    with pytest.raises(TransactionFailed) as caught:
        table.database.transact_write(actions)
    assert caught.value.reasons[0] is None
    assert isinstance(caught.value.reasons[1], ItemTooLarge)
    assert bank.amounts()["a"] == 100


def test_a_record_of_another_format_is_never_guessed(bank: Bank) -> None:
    """A newer Isthmus left it: readers and writers of its items say so."""
    table = bank.accounts(**BEFORE)
    watch(table.database, at("after_lock_3", kill))
    with pytest.raises(Killed):
        transfer(table)
    bank.change_records(lambda item: {**item, "format": 2})
    other = bank.table(bank.client())
    with pytest.raises(SchemaMismatch, match="format"):
        other.get(id="a")
    with pytest.raises(SchemaMismatch, match="format"):
        other.put({"id": "a"})
    assert other.database.recover().failed == 1


def test_a_table_that_is_not_fit_is_refused_before_any_write(bank: Bank, table: BoundTable) -> None:
    """The store says which table could refuse what was judged."""

    def unfit(_table: Any) -> Any:
        raise UnsupportedOperation("unique index", capability="transact_write", reason="unique index")

    object.__setattr__(bank.store.item_store, "find", unfit)
    bank.requests.clear()
    with pytest.raises(UnsupportedOperation):
        transfer(table)
    assert bank.requests["cas"] == 0


@pytest.mark.parametrize("option", [{"lease_ms": 0}, {"lease": 1}, {"sweep_s": -1}])
def test_wrong_options_are_refused(option: dict[str, Any]) -> None:
    """With the name of the option."""
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        connect(Bank().store, fallback=option)


def test_records_are_no_table_of_callers(table: BoundTable) -> None:
    """Copies and exports, which take every table, must not take records."""
    transfer(table)
    assert table.database.tables.list() == ["accounts"]


# ---- revisions ----


def test_revisions_are_those_of_the_store(bank: Bank, table: BoundTable) -> None:
    """A write depends on what was seen, also on absence, alone and in transactions."""
    database: Database = table.database

    def seen(name: str) -> Any:
        result: Any = database.execute(evolve(table.actions.get(id=name), revision=True))
        return result.revision

    revision, nothing = seen("a"), seen("z")

    def again() -> op.Update:
        return evolve(table.actions.update(id="a", add={"n": 1}), unchanged=revision)

    def create() -> op.Put:
        return evolve(table.actions.put({"id": "z"}), unchanged=nothing)

    assert seen("a") == revision
    database.transact_write([again(), create()])
    with pytest.raises(TransactionFailed) as caught:
        database.transact_write([again(), create()])
    assert [type(reason) for reason in caught.value.reasons] == [ItemChanged, ItemChanged]
    with pytest.raises(ItemChanged):
        database.execute(again())
    database.execute(evolve(table.actions.update(id="a", add={"n": 1}), unchanged=seen("a")))
    assert bank.amounts()["a"] == 102
    assert isinstance(caught.value.reasons[0], Conflict)


def test_a_condition_sees_the_item(table: BoundTable) -> None:
    """A refused single write carries the current item without hidden attributes."""
    with pytest.raises(ConditionFailed) as caught:
        table.put({"id": "a"}, when=F.n == 1)
    assert caught.value.current == {"id": "a", "n": 100}
