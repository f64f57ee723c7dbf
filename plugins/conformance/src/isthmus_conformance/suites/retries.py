"""What the core makes of faults: retries, unknown outcomes and deadlines (rules CND-7, CND-8, TAB-5, TXN-9, LYR-10)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from isthmus import BoundTable, Capability, F, RetryPolicy, Selection
from isthmus.errors import Conflict, DeadlineExceeded, InvalidArgument, OutcomeUnknown, Throttled, Unavailable
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.tokens import own_token

QUICK = RetryPolicy(attempts=4, base=0.001, cap=0.002)
PATIENT = RetryPolicy(attempts=1_000, base=0.02, cap=0.02, budget=10_000)

Call = Callable[[BoundTable], Any]
READS: Mapping[str, Call] = {
    "get": lambda table: table.get(id="1"),
    "query": lambda table: list(table.query(id="1")),
    "scan": lambda table: list(table.scan()),
    "count": lambda table: table.scan().count(),
    "get_many": lambda table: list(table.get_many([{"id": "1"}])),
}
REPEATABLE: Mapping[str, Call] = {
    "put": lambda table: table.put({"id": "1", "n": 2}),
    "delete": lambda table: table.delete(id="9"),
    "put_many": lambda table: table.put_many([{"id": "1", "n": 2}]),
    "delete_many": lambda table: table.delete_many([{"id": "9"}]),
}
ONCE: Mapping[str, Call] = {
    "create": lambda table: table.create({"id": "2"}),
    "conditional put": lambda table: table.put({"id": "1", "n": 2}, when=F.n == 1),
    "update": lambda table: table.update(id="1", add={"n": 1}),
    "conditional delete": lambda table: table.delete(id="1", when=F.n == 1),
    "pop": lambda table: table.pop(id="1"),
    "transaction": lambda table: table.database.transact_write([table.actions.put({"id": "1", "n": 2})]),
}
WHOLE: Mapping[str, Callable[[Selection], object]] = {
    "pages": lambda scan: list(scan.pages(size=1)),
    "iteration": list,
    "count": lambda scan: scan.count(),
}
Connected = tuple[BoundTable, FaultyBackend]


def named(*names: str) -> list[Any]:
    """The names of calls as parameters; transactions only where there are some."""
    need = pytest.mark.requires_capability(Capability.TRANSACT_WRITE)
    return [pytest.param(name, marks=[need] if name == "transaction" else []) for name in names]


class RetrySuite(Suite):
    """Faults of the store, injected between the core and the backend under test."""

    @pytest.fixture
    def faulty(self, make_table: MakeTable, open_database: OpenDatabase) -> Callable[..., Connected]:
        """Opens a table that holds ``{"id": "1", "n": 1}`` through a backend with planned faults."""

        def connected(*plan: Fault, policy: RetryPolicy = QUICK) -> Connected:
            table = make_table()
            table.put({"id": "1", "n": 1})
            backend = FaultyBackend(table.database.backend, plan)
            return open_database(backend, retry_policy=policy).table(table.schema), backend

        return connected

    @rule("CND-8", "LYR-10")
    @pytest.mark.parametrize("call", named(*READS, *REPEATABLE, *ONCE))
    @pytest.mark.parametrize("error", [Throttled, Unavailable, Conflict])
    def test_errors_before_the_work_are_retried(
        self, faulty: Callable[..., Connected], call: str, error: type[Throttled]
    ) -> None:
        """Nothing was applied, so every kind of call may be repeated."""
        table, backend = faulty(Fault(error("busy")), Fault(error("busy")))
        {**READS, **REPEATABLE, **ONCE}[call](table)
        assert len(backend.attempts) == 3

    @rule("CND-7", "CND-8")
    @pytest.mark.parametrize("call", [*READS, *REPEATABLE])
    def test_repeatable_calls_are_retried_after_an_unknown_outcome(
        self, faulty: Callable[..., Connected], call: str
    ) -> None:
        """A read, or a write that means the same twice, is sent again."""
        table, backend = faulty(Fault(Unavailable("gone", maybe_applied=True), applied=True))
        {**READS, **REPEATABLE}[call](table)
        assert len(backend.attempts) == 2

    @rule("CND-7", "LYR-10")
    @pytest.mark.parametrize("applied", [True, False])
    @pytest.mark.parametrize("call", named(*ONCE))
    def test_other_writes_are_sent_once(self, faulty: Callable[..., Connected], call: str, applied: bool) -> None:
        """A write that may have happened is not repeated: the outcome is unknown, and the error says so."""
        table, backend = faulty(Fault(Unavailable("gone", maybe_applied=True), applied=applied))
        with pytest.raises(OutcomeUnknown) as caught:
            ONCE[call](table)
        assert (len(backend.attempts), caught.value.maybe_applied, caught.value.retryable) == (1, True, False)

    @rule("CND-7")
    def test_an_increment_is_never_applied_twice(self, faulty: Callable[..., Connected]) -> None:
        """A lost answer to an increment leaves one increment."""
        table, _backend = faulty(Fault(Unavailable("gone", maybe_applied=True), applied=True))
        with pytest.raises(OutcomeUnknown):
            table.update(id="1", add={"n": 1})
        assert table.get(id="1") == {"id": "1", "n": 2}

    @rule("TXN-8", "CND-7")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_a_transaction_with_a_token_is_repeated(self, faulty: Callable[..., Connected]) -> None:
        """The token makes the repetition harmless: one increment, and success."""
        table, backend = faulty(Fault(Unavailable("gone", maybe_applied=True), applied=True))
        result = table.database.transact_write([table.actions.update(id="1", add={"n": 1})], token=own_token(table))
        assert (result.replayed, len(backend.attempts), table.get(id="1")["n"]) == (True, 2, 2)

    @rule("CND-8", "TXN-9")
    @pytest.mark.parametrize("call", named(*READS, *REPEATABLE, *ONCE))
    def test_attempts_are_bounded(self, faulty: Callable[..., Connected], call: str) -> None:
        """After the policy's number of attempts the last error is raised, marked as retryable."""
        table, backend = faulty(*[Fault(Conflict("in the way"))] * 20)
        with pytest.raises(Conflict) as caught:
            {**READS, **REPEATABLE, **ONCE}[call](table)
        assert (len(backend.attempts), caught.value.retryable, caught.value.maybe_applied) == (4, True, False)

    @rule("CND-8")
    def test_final_errors_are_not_retried(self, faulty: Callable[..., Connected]) -> None:
        """An error that a repetition can't cure is raised at once."""
        table, backend = faulty(Fault(InvalidArgument("no")))
        with pytest.raises(InvalidArgument):
            table.get(id="1")
        assert len(backend.attempts) == 1

    @rule("CND-7", "CND-8")
    def test_an_earlier_unknown_outcome_is_not_forgotten(self, faulty: Callable[..., Connected]) -> None:
        """When one attempt may have been applied, the error of a later one says so too."""
        plan = [Fault(Unavailable("gone", maybe_applied=True), applied=True), *[Fault(Throttled("busy"))] * 20]
        table, _backend = faulty(*plan)
        with pytest.raises(Throttled) as caught:
            table.put({"id": "1", "n": 2})
        assert caught.value.maybe_applied is True

    @rule("TAB-5")
    @pytest.mark.parametrize("applied", [True, False])
    def test_the_deadline_covers_retries(self, faulty: Callable[..., Connected], applied: bool) -> None:
        """However many attempts are left, the call ends at its deadline and tells whether it may have written."""
        error = Unavailable("gone", maybe_applied=applied)
        table, backend = faulty(*[Fault(error, applied=applied)] * 2_000, policy=PATIENT)
        told = None
        # On a machine that stands still the first attempt may come too late: then there is more time.
        for seconds in (0.15, 1.0, 8.0):
            started = time.monotonic()
            with pytest.raises(DeadlineExceeded) as caught:
                table.put({"id": "1", "n": 2}, timeout=seconds)
            assert time.monotonic() - started < seconds + 30.0
            told = caught.value.maybe_applied
            if backend.attempts and (told or not applied):
                break
        assert (bool(backend.attempts), told) == (True, applied)

    @rule("TAB-5")
    @pytest.mark.parametrize("call", list(WHOLE))
    def test_the_deadline_covers_pages(self, faulty: Callable[..., Connected], call: str) -> None:
        """One deadline for all pages of an iteration, not one for each."""
        table, backend = faulty(*[Fault(delay=0.05)] * 2_000)
        table.put_many([{"id": f"{n}", "n": n} for n in range(60)])
        backend.attempts.clear()
        for seconds in (0.3, 1.0, 2.5):
            scan = table.scan(timeout=seconds).examine_at_most(1)
            with pytest.raises(DeadlineExceeded):
                WHOLE[call](scan)
            if backend.attempts:
                break
        assert 1 <= len(backend.attempts) <= seconds / 0.05 + 1

    @rule("TAB-5")
    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), True, "1"])
    def test_impossible_timeouts_are_refused(self, make_table: MakeTable, timeout: Any) -> None:
        """A timeout is a positive number of seconds."""
        with pytest.raises(InvalidArgument):
            make_table().find(id="1", timeout=timeout)
