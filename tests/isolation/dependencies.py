"""What transactions on append-only lists tell about each other: who wrote before whom, and who read what of whom.

Every element is appended once, so a list that was read tells the order of its writers, and a shorter one of the same
key tells who had not written yet. That is what makes lists stronger witnesses than registers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from attrs import Factory, define, field, frozen

from tests.isolation.history import Outcome

Key = str
Element = int
Kind = Literal["ww", "wr", "rw", "rt"]
"""Appended right after the other; read the other's element; read before the other appended; began after its end."""


@frozen
class Append:
    """An element was put to the end of a list."""

    key: Key
    element: Element


@frozen
class Read:
    """A list was read; ``None`` where no answer came."""

    key: Key
    seen: tuple[Element, ...] | None = None


@frozen(eq=False)
class Transaction:
    """What one transaction did, in order."""

    client: int
    steps: tuple[Append | Read, ...]
    begun: int
    ended: int | None
    outcome: Outcome = "done"

    def __str__(self) -> str:
        steps = [
            f"appends {step.element} to {step.key}"
            if isinstance(step, Append)
            else f"reads {step.key}{_short(step.seen)}"
            for step in self.steps
        ]
        return f"[{self.begun}..{'' if self.ended is None else self.ended} client {self.client}: {', '.join(steps)}]"

    def appended(self, key: Key) -> tuple[Element, ...]:
        """What it appended to a list, in order."""
        return tuple(step.element for step in self.steps if isinstance(step, Append) and step.key == key)


@frozen
class Anomaly:
    """Something that must not happen: its short name, and what happened in words."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@define
class Evidence:
    """What all transactions together tell.

    :param order: the longest list that was read of each key
    :param writers: who appended which element
    :param edges: from each transaction to those that come after it, and why
    """

    transactions: Sequence[Transaction]
    order: dict[Key, tuple[Element, ...]] = field(factory=dict)
    writers: Mapping[tuple[Key, Element], Transaction] = Factory(
        lambda self: _writers(self.transactions), takes_self=True
    )
    anomalies: list[Anomaly] = field(factory=list)
    edges: list[tuple[Transaction, Transaction, Kind, str]] = field(factory=list)

    def note(self, name: str, text: str) -> None:
        """Write down an anomaly, once."""
        if (found := Anomaly(name, text)) not in self.anomalies:
            self.anomalies.append(found)


def gather(transactions: Sequence[Transaction]) -> Evidence:
    """What the transactions tell, with the anomalies that need no cycle to be seen."""
    evidence = Evidence(transactions)
    reads = [(one, *read) for one in transactions if one.outcome == "done" for read in _reads(one, evidence)]
    for reader, key, seen in reads:
        _judge_read(evidence, reader, key, seen)
    _find_lost(evidence)
    _follow(evidence, reads)
    return evidence


def _writers(transactions: Sequence[Transaction]) -> dict[tuple[Key, Element], Transaction]:
    return {(step.key, step.element): one for one in transactions for step in one.steps if isinstance(step, Append)}


def _reads(one: Transaction, evidence: Evidence) -> Iterator[tuple[Key, tuple[Element, ...]]]:
    """What a transaction saw of others: the lists without its own elements, which it must see once it appended them."""
    own: dict[Key, tuple[Element, ...]] = {}
    for step in one.steps:
        mine = own.get(step.key, ())
        if isinstance(step, Append):
            own[step.key] = (*mine, step.element)
        elif step.seen is not None:
            if mine and step.seen[-len(mine) :] != mine:
                evidence.note("internal", f"{one} does not see what it appended itself")
            else:
                yield step.key, step.seen[: len(step.seen) - len(mine)]


def _judge_read(evidence: Evidence, reader: Transaction, key: Key, seen: tuple[Element, ...]) -> None:
    """Compare one list with what was appended, and with the longest one of its key so far."""
    for element, count in Counter(seen).items():
        writer = evidence.writers.get((key, element))
        if count > 1:
            evidence.note("duplicate", f"element {element} is {count} times in {key}")
        if writer is None:
            evidence.note("invented", f"{reader} sees element {element} in {key}, which nobody appended")
        elif writer.outcome == "failed":
            evidence.note("G1a", f"{reader} sees element {element} in {key} of {writer}, which failed")
    if seen:
        _judge_last(evidence, reader, key, seen[-1])
    longest = evidence.order.get(key, ())
    shorter, longer = sorted((longest, seen), key=len)
    if longer[: len(shorter)] != shorter:
        evidence.note("incompatible", f"{key} was read as {_short(shorter)} and as {_short(longer)}, see {reader}")
    evidence.order[key] = longer


def _judge_last(evidence: Evidence, reader: Transaction, key: Key, last: Element) -> None:
    writer = evidence.writers.get((key, last))
    if writer is not None and writer is not reader and writer.appended(key)[-1] != last:
        evidence.note("G1b", f"{reader} sees {key} in the middle of {writer}")


def _find_lost(evidence: Evidence) -> None:
    """Acknowledged elements that nobody ever saw: each history ends with a read of all lists."""
    for (key, element), writer in evidence.writers.items():
        if writer.outcome == "done" and key in evidence.order and element not in evidence.order[key]:
            evidence.note("lost", f"element {element} of {key} is in no list, though {writer} was acknowledged")


def _follow(evidence: Evidence, reads: Sequence[tuple[Transaction, Key, tuple[Element, ...]]]) -> None:
    """Write down who comes before whom."""
    for key, order in evidence.order.items():
        for first, second in pairwise(order):
            _edge(evidence, (key, first), (key, second), "ww", f"appended {first} to {key}, followed by {second} of")
    for reader, key, seen in reads:
        order = evidence.order[key]
        if seen and (writer := evidence.writers.get((key, seen[-1]))) not in {None, reader}:
            assert writer is not None
            evidence.edges.append((writer, reader, "wr", f"appended {seen[-1]} to {key}, which was seen by"))
        if len(seen) < len(order) and (writer := evidence.writers.get((key, order[len(seen)]))) not in {None, reader}:
            assert writer is not None
            evidence.edges.append(
                (reader, writer, "rw", f"saw {key} without {order[len(seen)]}, which was appended by")
            )


def _edge(evidence: Evidence, first: tuple[Key, Element], second: tuple[Key, Element], kind: Kind, why: str) -> None:
    before, after = evidence.writers.get(first), evidence.writers.get(second)
    if before is not None and after is not None and before is not after:
        evidence.edges.append((before, after, kind, why))


def real_time(transactions: Sequence[Transaction]) -> Iterator[tuple[Transaction, Transaction, Kind, str]]:
    """Who ended before whom began; what follows from two others is left out."""
    last: list[Transaction] = []
    ends = [(one.ended, 1, one) for one in transactions if one.ended is not None]
    for _, ended, one in sorted([*((one.begun, 0, one) for one in transactions), *ends], key=lambda moment: moment[:2]):
        if ended:
            last = [*(other for other in last if other.ended is None or other.ended > one.begun), one]
        else:
            for other in last:
                yield other, one, "rt", "ended before the beginning of"


def _short(elements: tuple[Element, ...] | None) -> str:
    """A list as people can read it: its length and its end."""
    if elements is None:
        return " without an answer"
    return f" ({len(elements)} elements, at the end {', '.join(map(str, elements[-3:]))})" if elements else " (empty)"
