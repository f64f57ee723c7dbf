"""What the demo prints and returns."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from attrs import frozen
from rich.table import Table as Grid
from rich.text import Text

from isthmus.cli.demo.steps import STEPS, Demo, Outcome, Step
from isthmus.cli.output import console


@frozen
class Done:
    """A step that ran; ``seconds`` is its wall-clock time."""

    step: Step
    outcome: Outcome
    seconds: float

    @property
    def rate(self) -> float:
        """Units for each second."""
        return self.outcome.count / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON-ready data."""
        return {
            "step": self.step.title,
            "count": self.outcome.count,
            "unit": self.outcome.unit,
            "seconds": round(self.seconds, 6),
            "rate": round(self.rate, 1),
            "facts": dict(self.outcome.facts),
        }


def run_steps(demo: Demo, steps: Iterable[Step] = STEPS) -> list[Done]:
    """Run the steps in order.

    :raises IsthmusError: a step failed; the later ones don't run
    """
    done = []
    for step in steps:
        started = perf_counter()
        outcome = step.run(demo)
        done.append(Done(step, outcome, perf_counter() - started))
    return done


def print_report(done: Iterable[Done], title: str | None = None) -> None:
    """The steps as a table: counts, times, rates and what was found."""
    columns = ("step", "count", "seconds", "rate", "what was found")
    grid = Grid(*columns, title=title, title_justify="left", header_style="bold")
    for column in (1, 2, 3):
        grid.columns[column].justify = "right"
    for one in done:
        count = f"{one.outcome.count:,} {one.outcome.unit}"
        facts = "\n".join(f"{name}: {value}" for name, value in one.outcome.facts)
        grid.add_row(one.step.title, count, f"{one.seconds:.3f}", f"{one.rate:,.0f}/s", Text(facts))
        grid.add_section()
    console().print(grid)
