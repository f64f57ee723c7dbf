"""The differential mode: one generated history runs on several databases, which must answer alike.

It needs no oracle, so it reaches combinations that no single suite thinks of. A difference fails with the shortest
history that shows it, printed as Python.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import hypothesis
from hypothesis import Phase

from isthmus import Backend, BoundTable, Capabilities, Capability, Database, Table, Unsupported, connect
from isthmus_conformance.base import START, FakeClock, fresh_name
from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.histories import KEYS, closing, declaration, histories
from isthmus_conformance.profiles import profile
from isthmus_conformance.steps import Run, Step, outcome_of

PATIENCE = 3.0
"""Seconds that a read through an index may lag behind (rule QRY-8)."""


class Difference(AssertionError):
    """Two databases answered differently.

    :param names: of the two
    """

    def __init__(self, message: str, names: tuple[str, str]) -> None:
        super().__init__(message)
        self.names = names


def assert_same(
    sources: Mapping[str, str | Backend],
    *,
    clock: FakeClock | None = None,
    steps: int = 20,
    share: float = 4.0,
    number: int | None = None,
    seed: int | None = None,
    progress: Callable[[], None] | None = None,
) -> None:
    """Generate histories and fail where databases answer differently; the kit's profile says how many.

    :param sources: what to compare, by a name for messages: URLs, or backend objects that were made with ``clock``
    :param clock: the clock of all of them; a new one when omitted
    :param steps: most steps in one history
    :param share: how many histories, as a multiple of the profile's number of examples; they are cheap
    :param number: how many histories, whatever the profile says
    :param seed: where the generator starts; by default the profile says
    :param progress: called after each history
    """
    clock = FakeClock() if clock is None else clock
    with ExitStack() as stack:
        databases = {name: stack.enter_context(connect(source, clock=clock)) for name, source in sources.items()}
        supported = common(database.capabilities for database in databases.values())
        schema = declaration(fresh_name(), supported)
        for database in databases.values():
            stack.callback(database.table(schema).ensure().drop)

        @hypothesis.given(history=histories(schema, supported, steps))
        def check(history: list[Step]) -> None:
            EXAMPLES.add()
            try:
                differential(databases, schema, history, clock)
            except Difference as difference:
                # The shortest history is sought with the two that differ, which is quicker.
                for name in set(databases).difference(difference.names):
                    del databases[name]
                raise
            if progress is not None:
                progress()

        settings = _quick(profile(share=share))
        settings = settings if number is None else hypothesis.settings(settings, max_examples=number)
        seeded: Callable[[Any], Any] = (lambda test: test) if seed is None else hypothesis.seed(seed)
        settings(seeded(check))()


def _quick(settings: hypothesis.settings) -> hypothesis.settings:
    """Without the search for what matters in a history: it takes far longer than to find it, and nobody is told."""
    return hypothesis.settings(settings, phases=[phase for phase in settings.phases if phase is not Phase.explain])


def common(all_capabilities: Iterable[Capabilities]) -> Capabilities:
    """What all of them support."""

    def both(left: Capabilities, right: Capabilities) -> Capabilities:
        return left.replace({name: level for name, level in right.items() if isinstance(level, Unsupported)})

    return functools.reduce(both, all_capabilities)


def differential(databases: Mapping[str, Database], schema: Table, history: Sequence[Step], clock: FakeClock) -> None:
    """Run one history on several databases side by side, from empty tables.

    :raises Difference: at the first one
    """
    clock.now = START
    label, whole = fresh_name(), (*history, *closing(schema))
    runs = {name: Run(database, _emptied(database, schema), clock, label) for name, database in databases.items()}
    for place, step in enumerate(whole):
        # Of the closing reads only the one that shows the difference counts.
        _compare((*whole[: min(place, len(history))], step), runs, clock)


def _emptied(database: Database, schema: Table) -> BoundTable:
    """The table without the items that a history may have left: one call, which reads nothing."""
    table = database.table(schema)
    table.delete_many(KEYS).raise_for_failures()
    return table


def _compare(steps: Sequence[Step], runs: Mapping[str, Run], clock: FakeClock) -> None:
    """Do the last of the steps on each database."""
    began, step = clock.now, steps[-1]
    (first, reference), *others = runs.items()
    right = outcome_of(step, reference)
    for name, run in others:
        clock.now = began
        found = _settled(step, run, right)
        if found != right:
            lines = "\n".join(map(str, steps))
            given = f"{first} gave {right!r}\n{name} gave {found!r}"
            raise Difference(f"{name} and {first} differ after\n\n{lines}\n\n{given}", (first, name))


def _settled(step: Step, run: Run, right: object) -> object:
    """What a step gave; a read that may lag on this backend is repeated for a while."""
    until = time.monotonic() + PATIENCE
    lags = step.eventual and not run.database.capabilities.supports(Capability.STRONG_INDEX_READ)
    found = outcome_of(step, run)
    while lags and found != right and time.monotonic() < until:
        time.sleep(0.01)
        found = outcome_of(step, run)
    return found
