"""Calls of several clients in every order that chance finds: their answers and the end have a serial explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.tests.fallback.schedules import World
from core.tests.fallback.serial import Call, State, explained
from isthmus import operations as op
from isthmus.fallback import attempts, coordinator, reads, records
from isthmus.fallback.attempts import Verdict

RUNS = 3_000
MOST_RUNS = 10_000


@pytest.mark.parametrize("loss", [0.0, 0.1], ids=["all answers come", "answers get lost"])
def test_every_run_is_explained(loss: float) -> None:
    """Reads, transactions and single writes over three items, leases that run out at any moment, clients that die."""
    wrong = [seed for seed in range(RUNS) if not World(seed, calls=3 + seed % 4, loss=loss).run()]
    assert wrong == []


def checks_not_locked(patch: pytest.MonkeyPatch) -> None:
    """Checks are judged, but hold nothing."""
    whole = coordinator._Transaction._members
    patch.setattr(
        coordinator._Transaction, "_members",
        lambda self, *given: [one for one in whole(self, *given) if not isinstance(one.action, op.Check)],
    )  # fmt: skip


def reader_ignores_locks(patch: pytest.MonkeyPatch) -> None:
    """Readers take what stands in the plain attributes."""

    def plain(_session: Any, _place: Any, item: Any) -> Any:
        yield from ()
        return records.unlocked_image(item) if records.lock_of(item) is None else records.image_before(item)

    patch.setattr(reads, "image_of", plain)
    patch.setattr(reads, "chosen", lambda item, _record: records.image_before(item))


def single_collect(patch: pytest.MonkeyPatch) -> None:
    """A transactional read reads once."""
    patch.setattr(reads, "_collected", reads.read_all)


def lost_commit_means_abort(patch: pytest.MonkeyPatch) -> None:
    """A commit without an answer is taken for one that was refused."""

    def aborted(_attempt: Any) -> Any:
        yield from ()
        return Verdict.ABORTED

    patch.setattr(attempts.Attempt, "_asked", aborted)


WORLDS: list[tuple[Callable[[pytest.MonkeyPatch], None], dict[str, Any]]] = [
    (checks_not_locked, {"death": 0.05, "kinds": ("write", "snapshot")}),
    (reader_ignores_locks, {"death": 0.05, "kinds": ("write", "write", "snapshot", "snapshot")}),
    (single_collect, {"kinds": ("write", "write", "snapshot", "snapshot")}),
    (lost_commit_means_abort, {"loss": 0.3, "kinds": ("write", "write", "get", "single")}),
]


@pytest.mark.parametrize(("fault", "world"), WORLDS, ids=lambda given: getattr(given, "__name__", ""))
def test_a_broken_rule_is_found(
    fault: Callable[[pytest.MonkeyPatch], None], world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same kind of runs find a protocol that leaves out one of its rules, and no other fault."""
    fault(monkeypatch)
    found = next((seed for seed in range(MOST_RUNS) if not World(seed, calls=2 + seed % 2, **world).run()), None)
    assert found is not None
    monkeypatch.undo()
    assert World(found, calls=2 + found % 2, **world).run()


def test_the_oracle_keeps_real_time() -> None:
    """An answer that came before another call began comes first in every explanation."""

    def put(tag: str) -> Callable[[State], State | None]:
        return lambda state: {**state, "x": (tag,)}

    def sees(tag: str) -> Callable[[State], State | None]:
        return lambda state: state if state["x"] == (tag,) else None

    first, second = Call("1", put("1"), 0, 1, "must"), Call("2", put("2"), 2, 3, "must")
    assert explained([first, second], {"x": None}, {"x": ("2",)})
    assert not explained([first, second], {"x": None}, {"x": ("1",)})
    assert not explained([first, second, Call("3", sees("1"), 4, 5, "must")], {"x": None}, {"x": ("2",)})
    assert explained([first, second, Call("3", sees("1"), 1, 5, "must")], {"x": None}, {"x": ("2",)})
    assert explained([first, Call("2", put("2"), 2)], {"x": None}, {"x": ("1",)})
    assert not explained([first, Call("2", put("2"), 2, 3, "never")], {"x": None}, {"x": ("2",)})
