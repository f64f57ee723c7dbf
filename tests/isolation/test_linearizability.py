"""The checker of registers tells histories that some order explains from those that none does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.errors import AlreadyExists, ConditionFailed, IsthmusError
from tests.isolation.history import Call
from tests.isolation.linearizability import violation
from tests.isolation.registers import Access, step

REFUSED: dict[str, Callable[[], IsthmusError]] = {
    "make": lambda: AlreadyExists("of the test"),
    "swap": lambda: ConditionFailed("of the test"),
}


def read(begun: int, ended: int, value: int | None) -> Call:
    """A read that was answered."""
    return Call(1, Access("read", "a"), begun, ended, "done", value)


def write(begun: int, ended: int | None, value: int) -> Call:
    """A write; without an end its outcome is unknown."""
    return Call(2, Access("write", "a", value), begun, ended, "unknown" if ended is None else "done", value)


def swap(begun: int, ended: int | None, expected: int, value: int) -> Call:
    """A replacement on a condition."""
    return Call(3, Access("swap", "a", value, expected), begun, ended, "unknown" if ended is None else "done", value)


def refused(begun: int, ended: int, kind: str, shown: int | None) -> Call:
    """A write that was refused, and told what is there."""
    return Call(4, Access(kind, "a", 99, 98), begun, ended, "failed", shown, REFUSED[kind]())


def removal(begun: int, ended: int, existed: bool) -> Call:
    """A removal that was answered."""
    return Call(5, Access("remove", "a"), begun, ended, "done", existed)


EXPLAINED: dict[str, Sequence[Call]] = {
    "nothing happened": [],
    "an empty register": [read(1, 2, None)],
    "one after the other": [write(1, 2, 7), read(3, 4, 7)],
    "a read beside a write sees the old value": [write(1, 4, 7), read(2, 3, None)],
    "a read beside a write sees the new value": [write(1, 4, 7), read(2, 3, 7)],
    "two reads beside a write see it happen": [write(1, 6, 7), read(2, 3, None), read(4, 5, 7)],
    "the later of two writes that overlap wins": [write(1, 3, 7), write(2, 4, 8), read(5, 6, 7)],
    "an unknown write happened": [write(1, None, 7), read(2, 3, 7)],
    "an unknown write did not happen": [write(1, None, 7), read(2, 3, None)],
    "an unknown write happens late": [write(1, None, 7), write(2, 3, 8), read(4, 5, 8), read(6, 7, 7)],
    "an unknown swap finds its value late": [swap(1, None, 8, 9), write(2, 3, 8), read(4, 5, 9)],
    "a swap follows the write that it names": [write(1, 4, 7), swap(2, 3, 7, 8), read(5, 6, 8)],
    "a refusal shows what is there": [write(1, 2, 7), refused(3, 4, "swap", 7)],
    "a removal finds an item": [write(1, 2, 7), removal(3, 4, True), read(5, 6, None)],
    "a removal finds nothing": [removal(1, 2, False)],
}
UNEXPLAINED: dict[str, Sequence[Call]] = {
    "a value from nowhere": [read(1, 2, 7)],
    "a write is lost": [write(1, 2, 7), read(3, 4, None)],
    "a stale read": [write(1, 2, 7), write(3, 4, 8), read(5, 6, 7)],
    "a read goes back in time": [write(1, 6, 7), read(2, 3, 7), read(4, 5, None)],
    "two reads see two writes in different orders": [
        write(1, 9, 7), write(2, 10, 8), read(3, 4, 7), read(5, 6, 8), read(7, 8, 7),
    ],
    "an unknown write happens twice": [write(1, None, 7), read(2, 3, 7), write(4, 5, 8), read(6, 7, 8), read(8, 9, 7)],
    "an unknown write takes effect before it begins": [read(1, 2, 7), write(3, None, 7)],
    "two swaps of one value": [write(1, 2, 7), swap(3, 5, 7, 8), swap(4, 6, 7, 9)],
    "a swap of a value that was never there": [write(1, 2, 7), swap(3, 4, 8, 9)],
    "a refusal shows an old value": [write(1, 2, 7), write(3, 4, 8), refused(5, 6, "swap", 7)],
    "a make is refused by nothing": [refused(1, 2, "make", None)],
    "a removal finds what is gone": [write(1, 2, 7), removal(3, 4, True), removal(5, 6, True)],
}  # fmt: skip


@pytest.mark.parametrize("calls", EXPLAINED.values(), ids=EXPLAINED)
def test_what_some_order_explains_is_accepted(calls: Sequence[Call]) -> None:
    """Whichever way the effects were ordered."""
    assert violation(calls, step) is None


@pytest.mark.parametrize("calls", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_what_no_order_explains_is_refused(calls: Sequence[Call]) -> None:
    """Each needs all of its calls: without the last answer, the history is fine."""
    found = violation(calls, step)
    assert found is not None
    assert violation([call for call in calls if call is not found.calls[-1]], step) is None


def test_a_violation_is_shown_at_its_shortest() -> None:
    """What began after the answer that nothing explains is left out, and what the register held is named."""
    found = violation([write(1, 2, 7), read(3, 4, 8), write(5, 6, 9), read(7, 8, 9)], step)
    assert found is not None
    assert (len(found.calls), found.before) == (2, (7,))
    assert "may have held 7" in str(found)
    assert "read a -> 8" in str(found)


@st.composite
def executions(draw: st.DrawFn) -> list[Call]:
    """A history made from an order: each call has its effect at one moment, and begins and ends around it.

    Some calls get no answer, some of these have no effect.
    """
    kinds = draw(
        st.lists(st.sampled_from(["read", "read", "write", "swap", "make", "remove"]), min_size=1, max_size=14)
    )
    chance = Random(draw(st.integers(0, 2**32)))
    calls: list[Call] = []
    state: int | None = None
    for moment, kind in enumerate(kinds):
        lost = kind != "read" and chance.random() < 0.2
        effect = not lost or chance.random() < 0.5
        call, after = _carried_out(kind, state, moment, chance)
        state = after if effect else state
        span = (moment * 100 - chance.randrange(250), moment * 100 + chance.randrange(250))
        lost_call = evolve(call, begun=span[0], ended=None, outcome="unknown", answer=None, error=None)
        calls.append(lost_call if lost else evolve(call, begun=span[0], ended=span[1]))
    return calls


def _carried_out(kind: str, state: int | None, moment: int, chance: Random) -> tuple[Call, int | None]:
    """A call on a register that holds ``state``, and what it holds afterwards."""
    expected = state if chance.random() < 0.6 else -1
    access = Access(kind, "a", None if kind in {"read", "remove"} else moment, expected if kind == "swap" else None)

    def done(answer: Any, after: int | None) -> tuple[Call, int | None]:
        return Call(1, access, 0, 0, "done", answer), after

    if kind == "read":
        return done(state, state)
    if kind == "remove":
        return done(state is not None, None)
    if (kind == "swap" and (expected != state or state is None)) or (kind == "make" and state is not None):
        return Call(1, access, 0, 0, "failed", state, REFUSED[kind]()), state
    return done(moment, moment)


@given(executions())
def test_histories_of_real_executions_are_accepted(calls: list[Call]) -> None:
    """However the calls overlap, and whichever of the unanswered ones had an effect."""
    assert violation(calls, step) is None


@given(executions(), st.data())
def test_a_read_of_what_was_never_there_is_refused(calls: list[Call], data: st.DataObject) -> None:
    """One answer of a good history is changed."""
    reads = [number for number, call in enumerate(calls) if call.action.kind == "read"]
    assume(reads)
    changed = data.draw(st.sampled_from(reads))
    calls[changed] = evolve(calls[changed], answer=-7)
    assert violation(calls, step) is not None


@given(executions(), st.data())
def test_swapped_reads_are_refused(calls: list[Call], data: st.DataObject) -> None:
    """Two writes and a read after each, which get each other's answer, after any good history."""
    end = max((call.ended or call.begun) for call in calls) + 10
    first, second = data.draw(st.permutations([1001, 1002]))
    after = [write(end, end + 1, first), read(end + 2, end + 3, second), write(end + 4, end + 5, second)]
    assert violation([*calls, *after, read(end + 6, end + 7, first)], step) is not None
