"""Retries, deadlines, outcomes and translation, in sync and async databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

import isthmus
from isthmus import F, Plugin, RetryPolicy, hookimpl, writes
from isthmus import operations as op
from isthmus.errors import (
    BackendError,
    DeadlineExceeded,
    IsthmusError,
    OutcomeUnknown,
    Throttled,
    TransactionFailed,
    Unavailable,
)
from isthmus.memory import MemoryBackend
from isthmus.observing import Attempt
from isthmus.results import Result
from isthmus.retries import RetryBudget, RetryDecision
from tests.patience import judged_only_if, with_enough_time

QUICK = RetryPolicy(attempts=4, base=0, cap=0)


class Flaky(MemoryBackend):
    """Fails with the given errors, one for each attempt on items, then works."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.attempts = 0

    def execute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Get | op.Put | op.Update):
            self.attempts += 1
            if self.errors:
                raise self.errors.pop(0)
        return super().execute(operation)


def run_sync(backend: Flaky, method: str, *plugins: Plugin, policy: RetryPolicy = QUICK, **arguments: Any) -> Any:
    """Call one method of a table with one item on this backend."""
    with isthmus.connect(backend, plugins=plugins, retry_policy=policy) as database:
        table = database.table("things", partition_key="id").ensure()
        return getattr(table, method)(**arguments)


def run_async(backend: Flaky, method: str, *plugins: Plugin, policy: RetryPolicy = QUICK, **arguments: Any) -> Any:
    """The async twin of `run_sync`."""

    async def call() -> Any:
        async with isthmus.aconnect(backend, plugins=plugins, retry_policy=policy) as database:
            table = await database.table("things", partition_key="id").ensure()
            return await getattr(table, method)(**arguments)

    return asyncio.run(call())


Run = Callable[..., Any]
both = pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "async"])


class Deciding(Plugin):
    """Decides retries as told, and remembers the attempts."""

    name: ClassVar[str] = "deciding"

    def __init__(self, wait: float | Exception | None) -> None:
        super().__init__()
        self.wait = wait
        self.attempts: list[Attempt] = []

    @hookimpl
    def isthmus_decide_retry(self, attempt: Attempt) -> float | None:
        self.attempts.append(attempt)
        if isinstance(self.wait, Exception):
            raise self.wait
        return self.wait


class Translating(Plugin):
    """Translates a native error."""

    name: ClassVar[str] = "translating"

    @hookimpl
    def isthmus_translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError | None:
        if isinstance(error, ValueError):
            raise TypeError("a defect of the plugin")
        return Throttled(f"slow down, {operation.kind}") if isinstance(error, KeyError) else None


@both
def test_read_is_repeated(run: Run) -> None:
    """A read that failed for now is repeated until it works."""
    backend = Flaky(Unavailable("down"), Throttled("busy"))
    assert (run(backend, "find", id="a"), backend.attempts) == (None, 3)


@both
def test_attempts_are_bounded(run: Run) -> None:
    """After the policy's last attempt the error is the caller's."""
    backend = Flaky(*[Unavailable("down") for _ in range(9)])
    with pytest.raises(Unavailable):
        run(backend, "find", id="a")
    assert backend.attempts == 4


@both
def test_lasting_error_is_not_repeated(run: Run) -> None:
    """An error that a repetition can't help is not repeated."""
    backend = Flaky(BackendError("odd"))
    with pytest.raises(BackendError):
        run(backend, "find", id="a")
    assert backend.attempts == 1


@both
def test_budget_bounds_retries_over_calls(run: Run) -> None:
    """Without budget nothing is repeated."""
    backend = Flaky(Unavailable("down"))
    with pytest.raises(Unavailable):
        run(backend, "find", policy=RetryPolicy(base=0, cap=0, budget=0), id="a")
    assert backend.attempts == 1


def test_budget_is_spent_and_earned() -> None:
    """Each retry takes one from the budget; ten successes earn one back, up to the size."""
    budget = RetryBudget(2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(11):
        budget.earn()
    assert budget.spend()
    for _ in range(100):
        budget.earn()
    assert budget.left == 2.0


def test_waits_grow_up_to_a_cap() -> None:
    """The bound of each wait doubles up to the cap; the wait is drawn between nothing and the bound."""
    policy = RetryPolicy(attempts=5, base=0.1, cap=0.3)
    decision = RetryDecision(policy, RetryBudget(10), lambda low, high: low + high)
    assert [decision.wait(attempt) for attempt in range(1, 6)] == [0.1, 0.2, 0.3, 0.3, None]


@both
def test_write_of_unknown_outcome_is_not_repeated(run: Run) -> None:
    """A write that may have happened and can't be repeated safely ends with an unknown outcome, and its cause."""
    cause = Unavailable("lost", maybe_applied=True)
    backend = Flaky(cause)
    with pytest.raises(OutcomeUnknown) as raised:
        run(backend, "update", id="a", add={"n": 1}, upsert=True)
    assert (backend.attempts, raised.value.maybe_applied, raised.value.__cause__) == (1, True, cause)


@both
def test_write_that_did_not_happen_is_repeated(run: Run) -> None:
    """A write that certainly did not happen is repeated."""
    backend = Flaky(Unavailable("refused"))
    run(backend, "update", id="a", add={"n": 1}, upsert=True)
    assert backend.attempts == 2


@both
def test_native_error_is_wrapped(run: Run) -> None:
    """A native error that nobody knows becomes a backend error with its cause and its place."""
    cause = RuntimeError("odd")
    with pytest.raises(BackendError) as raised:
        run(Flaky(cause), "find", id="a")
    found = (raised.value.__cause__, raised.value.backend, raised.value.operation, raised.value.table)
    assert found == (cause, "memory", "get", "things")


@both
def test_cause_of_an_error_is_kept(run: Run) -> None:
    """An error of the tree keeps the native cause that it was raised with."""
    cause, error = OSError("wire"), BackendError("failed")
    error.__cause__ = cause
    with pytest.raises(BackendError) as raised:
        run(Flaky(error), "find", id="a")
    assert raised.value.__cause__ is cause


@both
def test_plugin_translates_errors(run: Run) -> None:
    """A plugin's translation decides whether a native error is repeated."""
    backend = Flaky(KeyError("native"))
    assert (run(backend, "find", Translating(), id="a"), backend.attempts) == (None, 2)


@both
def test_translation_that_raises_hides_nothing(run: Run) -> None:
    """A translating plugin that raises is passed over; the caller gets the backend's failure."""
    cause = ValueError("native")
    with pytest.raises(BackendError) as raised:
        run(Flaky(cause), "find", Translating(), id="a")
    assert raised.value.__cause__ is cause


@both
def test_plugin_gives_up(run: Run) -> None:
    """A plugin that returns a negative wait ends the attempts."""
    backend, plugin = Flaky(Unavailable("down")), Deciding(-1)
    with pytest.raises(Unavailable):
        run(backend, "find", plugin, id="a")
    assert [(one.number, one.kind, one.tables) for one in plugin.attempts] == [(1, "get", ("things",))]


@both
def test_plugin_insists(run: Run) -> None:
    """A plugin may repeat beyond the policy's attempts."""
    backend = Flaky(*[Unavailable("down") for _ in range(6)])
    run(backend, "find", Deciding(0), id="a")
    assert backend.attempts == 7


@both
@pytest.mark.parametrize("wait", [None, RuntimeError("a defect of the plugin")])
def test_policy_decides_at_last(run: Run, wait: Any) -> None:
    """A plugin without an opinion, or one that raises, leaves the decision to the policy."""
    backend = Flaky(*[Unavailable("down") for _ in range(9)])
    with pytest.raises(Unavailable):
        run(backend, "find", Deciding(wait), id="a")
    assert backend.attempts == 4


@both
def test_deadline_covers_waits(run: Run) -> None:
    """A wait that would outlast the deadline is not begun."""
    backend = Flaky(Unavailable("down"))
    with pytest.raises(DeadlineExceeded) as raised:
        run(backend, "find", Deciding(30), id="a", timeout=5)
    assert (backend.attempts, isinstance(raised.value.__cause__, Unavailable)) == (1, True)


@both
def test_deadline_that_passed(run: Run) -> None:
    """Nothing is sent after the deadline."""
    backend = Flaky()
    with pytest.raises(DeadlineExceeded):
        run(backend, "find", id="a", timeout=1e-9)
    assert backend.attempts == 0


@both
def test_deadline_that_passed_during_the_last_attempt(run: Run) -> None:
    """The deadline is what ended the call, though no further attempt would have been made anyway."""

    class Slow(Flaky):
        def execute(self, operation: op.Operation) -> Result:
            if isinstance(operation, op.Get):
                while time.monotonic() < (operation.context.deadline or 0):
                    time.sleep(0.01)
            return super().execute(operation)

    def attempt(seconds: float) -> None:
        backend = Slow(Unavailable("no answer"))
        with pytest.raises(DeadlineExceeded):
            run(backend, "find", policy=RetryPolicy(attempts=1), id="a", timeout=seconds)
        judged_only_if(backend.attempts)
        assert backend.attempts == 1

    with_enough_time(attempt)


def drain_sync(backend: Flaky, policy: RetryPolicy) -> int:
    """Use up the budget, succeed twenty times at once, then fail once; the attempts of that last call."""
    with isthmus.connect(backend, retry_policy=policy) as database:
        table = database.table("things", partition_key="id").ensure()
        backend.errors = [Unavailable("down"), Unavailable("down")]
        with pytest.raises(Unavailable):
            table.find(id="a")
        for _time in range(20):
            table.find(id="a")
        backend.errors, backend.attempts = [Unavailable("down")], 0
        table.find(id="a")
        return backend.attempts


def drain_async(backend: Flaky, policy: RetryPolicy) -> int:
    """The async twin of `drain_sync`."""

    async def call() -> int:
        async with isthmus.aconnect(backend, retry_policy=policy) as database:
            table = await database.table("things", partition_key="id").ensure()
            backend.errors = [Unavailable("down"), Unavailable("down")]
            with pytest.raises(Unavailable):
                await table.find(id="a")
            for _time in range(20):
                await table.find(id="a")
            backend.errors, backend.attempts = [Unavailable("down")], 0
            await table.find(id="a")
            return backend.attempts

    return asyncio.run(call())


@pytest.mark.parametrize("drain", [drain_sync, drain_async], ids=["sync", "async"])
def test_calls_that_succeed_at_once_refill_the_budget(drain: Callable[[Flaky, RetryPolicy], int]) -> None:
    """A budget that was used up fills again with calls that work, so retries don't stay off."""
    assert drain(Flaky(), RetryPolicy(base=0, cap=0, budget=1)) == 2


def test_reasons_of_a_transaction_are_located() -> None:
    """A failed transaction says where it happened, and each reason which action it belongs to."""
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id").ensure()
        actions: list[op.Action] = [table.actions.put({"id": "a"}), table.actions.delete(id="b", when=F.n == 1)]
        with pytest.raises(TransactionFailed) as raised:
            database.transact_write(actions)
    whole, reasons = raised.value, raised.value.reasons
    assert (whole.backend, whole.operation, whole.table) == ("memory", "transact_write", "things")
    assert reasons[0] is None
    assert [place(reason) for reason in reasons[1:]] == [("memory", "delete", "things", {"id": "b"})]


def place(error: IsthmusError | None) -> Any:
    """Where an error came from."""
    assert error is not None
    return (error.backend, error.operation, error.table, error.key)


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
def test_a_failure_before_writing_is_no_unknown_outcome(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect that shows while a write is judged has written nothing, and the error says so."""

    def explode(*_arguments: Any) -> Any:
        raise RuntimeError("a defect")

    with isthmus.connect(url) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "a", "n": 1})
        monkeypatch.setattr(writes, "apply_changes", explode)
        with pytest.raises(BackendError, match="before it wrote") as raised:
            table.update(id="a", add={"n": 1})
        assert (raised.value.maybe_applied, raised.value.table) == (False, "things")
        assert type(raised.value.__cause__) is RuntimeError
        assert table.get(id="a") == {"id": "a", "n": 1}
