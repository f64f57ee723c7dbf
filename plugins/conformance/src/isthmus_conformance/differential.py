"""The differential mode: one generated history runs on several databases, which must answer alike.

It needs no oracle, so it reaches combinations that no single suite thinks of. A difference fails with the shortest
history that shows it, printed as Python.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

import hypothesis

from isthmus import Backend, BoundTable, Capabilities, Database, Table, Unsupported, connect
from isthmus_conformance.base import START, FakeClock, fresh_name
from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.histories import closing, declaration, histories
from isthmus_conformance.machines import clear
from isthmus_conformance.profiles import profile
from isthmus_conformance.steps import Run, Step, outcome_of


def assert_same(
    sources: Mapping[str, str | Backend], *, clock: FakeClock | None = None, steps: int = 20, share: float = 4.0
) -> None:
    """Generate histories and fail where databases answer differently; the kit's profile says how many.

    :param sources: what to compare, by a name for messages: URLs, or backend objects that were made with ``clock``
    :param clock: the clock of all of them; a new one when omitted
    :param steps: most steps in one history
    :param share: how many histories, as a multiple of the profile's number of examples; they are cheap
    """
    time = FakeClock() if clock is None else clock
    with ExitStack() as stack:
        databases = {name: stack.enter_context(connect(source, clock=time)) for name, source in sources.items()}
        supported = common(database.capabilities for database in databases.values())
        schema = declaration(fresh_name(), supported)
        for database in databases.values():
            stack.callback(database.table(schema).ensure().drop)

        @profile(share=share)
        @hypothesis.given(history=histories(schema, supported, steps))
        def check(history: list[Step]) -> None:
            EXAMPLES.add()
            differential(databases, schema, history, time)

        check()


def common(all_capabilities: Iterable[Capabilities]) -> Capabilities:
    """What all of them support."""

    def both(left: Capabilities, right: Capabilities) -> Capabilities:
        return left.replace({name: level for name, level in right.items() if isinstance(level, Unsupported)})

    return functools.reduce(both, all_capabilities)


def differential(databases: Mapping[str, Database], schema: Table, history: Sequence[Step], clock: FakeClock) -> None:
    """Run one history on several databases, each from an empty table, and fail at the first difference."""
    label, whole = fresh_name(), (*history, *closing(schema))
    outcomes: dict[str, list[object]] = {}
    for name, database in databases.items():
        clock.now = START
        run = Run(database, _emptied(database, schema), clock, label)
        outcomes[name] = [outcome_of(step, run) for step in whole]
    _compare(outcomes, whole, len(history))


def _emptied(database: Database, schema: Table) -> BoundTable:
    table = database.table(schema)
    clear(table)
    return table


def _compare(outcomes: Mapping[str, Sequence[object]], steps: Sequence[Step], own: int) -> None:
    """Fail at the first difference; of the closing reads, which begin at ``own``, only the one that shows it counts."""
    (first, right), *others = outcomes.items()
    for name, found in others:
        for place, (wanted, given) in enumerate(zip(right, found, strict=True)):
            if wanted != given:
                lines = "\n".join(map(str, (*steps[: min(place, own)], steps[place])))
                raise AssertionError(
                    f"{name} and {first} differ after\n\n{lines}\n\n{first} gave {wanted!r}\n{name} gave {given!r}"
                )
