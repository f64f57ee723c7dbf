"""The checker of transactions on lists names each anomaly, and finds none in what was serial."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.isolation.cycles import anomalies
from tests.isolation.dependencies import Append, Read, Transaction
from tests.isolation.history import Outcome


def transaction(*steps: Append | Read, at: tuple[int, int | None] = (0, 100), outcome: Outcome = "done") -> Transaction:
    """A transaction beside all others, unless it is said when it was."""
    return Transaction(1, steps, *at, outcome)


def a(element: int) -> Append:
    """An append to list a."""
    return Append("a", element)


def b(element: int) -> Append:
    """An append to list b."""
    return Append("b", element)


def sees_a(*seen: int) -> Read:
    """A read of list a."""
    return Read("a", seen)


def sees_b(*seen: int) -> Read:
    """A read of list b."""
    return Read("b", seen)


T = transaction
GOOD: dict[str, Sequence[Transaction]] = {
    "nothing happened": [],
    "appends that are seen": [T(a(1)), T(a(2), b(3)), T(sees_a(1, 2), sees_b(3))],
    "an append that failed and is not seen": [T(a(1), outcome="failed"), T(sees_a())],
    "an unknown append that is seen": [T(a(1), at=(1, None), outcome="unknown"), T(sees_a(1))],
    "an unknown append that is not seen": [T(a(1), at=(1, None), outcome="unknown"), T(sees_a())],
    "a reader sees its own append": [T(a(1)), T(sees_a(1), a(2), sees_a(1, 2)), T(sees_a(1, 2))],
    "two reads one after the other": [T(a(1), at=(1, 9)), T(sees_a(), at=(2, 3)), T(sees_a(1), at=(4, 5))],
    "a check that ends the chain": [T(sees_a(), b(1)), T(sees_b(1), a(2)), T(sees_a(2), sees_b(1))],
}
BAD: dict[str, tuple[str, Sequence[Transaction]]] = {
    "two orders of writing": ("G0", [T(a(1), b(1)), T(a(2), b(2)), T(sees_a(1, 2), sees_b(2, 1))]),
    "a read of what failed": ("G1a", [T(a(1), outcome="failed"), T(sees_a(1))]),
    "a read in the middle": ("G1b", [T(a(1), a(2)), T(sees_a(1)), T(sees_a(1, 2))]),
    "each reads the other's append": ("G1c", [T(a(1), sees_b(2)), T(b(2), sees_a(1))]),
    "read skew": ("G-single", [T(a(1), b(2)), T(sees_a(1), sees_b()), T(sees_a(1), sees_b(2))]),
    "a lost update": ("G-single", [T(sees_a(), a(1)), T(sees_a(), a(2)), T(sees_a(1, 2))]),
    "write skew": ("G2", [T(sees_a(), b(1)), T(sees_b(), a(2)), T(sees_a(2), sees_b(1))]),
    "a long fork": ("G2", [T(a(1)), T(b(2)), T(sees_a(1), sees_b()), T(sees_a(), sees_b(2)), T(sees_a(1), sees_b(2))]),
    "an acknowledged append that is gone": ("lost", [T(a(1)), T(a(2)), T(sees_a(2))]),
    "an append that happened twice": ("duplicate", [T(a(1)), T(sees_a(1, 1))]),
    "an element from nowhere": ("invented", [T(sees_a(1))]),
    "two lists that don't fit": ("incompatible", [T(a(1)), T(a(2)), T(sees_a(1, 2)), T(sees_a(2, 1))]),
    "a reader that misses its own append": ("internal", [T(a(1), sees_a()), T(sees_a(1))]),
    "a stale read": ("G-single in real time", [T(a(1), at=(1, 2)), T(sees_a(), at=(3, 4)), T(sees_a(1), at=(5, 6))]),
    "a write that comes too early": (
        "G1c in real time", [T(sees_a(1), at=(1, 2)), T(a(1), at=(3, 4)), T(sees_a(1), at=(5, 6))],
    ),
    "writes against time": ("G0 in real time", [T(a(1), at=(1, 2)), T(a(2), at=(3, 4)), T(sees_a(2, 1), at=(5, 6))]),
}  # fmt: skip


@pytest.mark.parametrize("transactions", GOOD.values(), ids=GOOD)
def test_what_could_be_serial_is_accepted(transactions: Sequence[Transaction]) -> None:
    """In real time too."""
    assert anomalies(transactions) == []


@pytest.mark.parametrize(("name", "transactions"), BAD.values(), ids=BAD)
def test_each_anomaly_is_named(name: str, transactions: Sequence[Transaction]) -> None:
    """By the simplest name that fits."""
    assert name in [anomaly.name for anomaly in anomalies(transactions)]


def test_real_time_counts_only_where_it_is_promised() -> None:
    """A stale read is serializable: the reader comes before the writer."""
    assert anomalies(BAD["a stale read"][1], strict=False) == []


def test_a_cycle_is_told_in_words() -> None:
    """Who did what, and why the next one comes after."""
    (skew,) = anomalies(BAD["write skew"][1])
    assert "client 1: reads a (empty), appends 1 to b" in skew.text
    assert "saw a without 2, which was appended by" in skew.text


@st.composite
def serial(draw: st.DrawFn) -> list[Transaction]:
    """A serial execution, whose transactions begin and end around their moments and end with a read of all lists."""
    chance = Random(draw(st.integers(0, 2**32)))
    lists: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    found = []
    for moment in range(draw(st.integers(1, 12))):
        outcome: Outcome = chance.choice(["done", "done", "done", "failed", "unknown"])
        steps = tuple(_step(lists, moment, chance, key) for key in chance.sample("abc", chance.randint(1, 3)))
        if outcome != "failed" and not (outcome == "unknown" and chance.random() < 0.5):
            for step in steps:
                if isinstance(step, Append):
                    lists[step.key].append(step.element)
        span = (moment * 100 - chance.randrange(250), moment * 100 + chance.randrange(250))
        found.append(Transaction(moment, steps, span[0], None if outcome == "unknown" else span[1], outcome))
    last = tuple(Read(key, tuple(seen)) for key, seen in lists.items())
    return [*found, Transaction(-1, last, 100_000, 100_001)]


def _step(lists: dict[str, list[int]], moment: int, chance: Random, key: str) -> Append | Read:
    return Append(key, moment) if chance.random() < 0.5 else Read(key, tuple(lists[key]))


@given(serial())
def test_serial_executions_are_accepted(transactions: list[Transaction]) -> None:
    """However their transactions overlap, and whichever of the unanswered ones had an effect."""
    assert anomalies(transactions) == []


@given(serial(), st.randoms(use_true_random=False))
def test_a_lost_element_is_refused(transactions: list[Transaction], chance: Random) -> None:
    """One acknowledged element disappears from all lists."""
    elements = [step for one in transactions if one.outcome == "done" for step in one.steps if isinstance(step, Append)]
    assume(elements)
    gone = chance.choice(elements)
    without = [evolve(one, steps=tuple(_without(step, gone) for step in one.steps)) for one in transactions]
    assert "lost" in [anomaly.name for anomaly in anomalies(without)]


def _without(step: Append | Read, gone: Append) -> Append | Read:
    if isinstance(step, Append) or step.key != gone.key:
        return step
    assert step.seen is not None
    return Read(step.key, tuple(element for element in step.seen if element != gone.element))


@given(serial())
def test_swapped_reads_are_refused(transactions: list[Transaction]) -> None:
    """Two appends with a read after each, which get each other's answer, after any serial execution."""
    seen = next(step.seen for step in transactions[-1].steps if isinstance(step, Read) and step.key == "a")
    assert seen is not None
    first, second = (*seen, 1001), (*seen, 1001, 1002)
    after = [
        T(a(1001), at=(200_000, 200_001)), T(Read("a", second), at=(200_002, 200_003)),
        T(a(1002), at=(200_004, 200_005)), T(Read("a", first), at=(200_006, 200_007)),
    ]  # fmt: skip
    assert anomalies([*transactions, *after])
