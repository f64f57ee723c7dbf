"""What one unit of a verification does: which side it reads, and what it looks for."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from attrs import asdict, frozen

from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import Plan, TablePlan
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Unit

Side = Literal["source", "target"]
Work = Literal["digest", "count", "compare", "list", "pick"]
"""Sum digests; count; compare items with the other side's; list the items of some buckets; pick keys at random."""

_MOST_UNITS: Final = 4_096


@frozen
class SidePart:
    """A part of one side of a table, written into the ``spec`` of a unit.

    :param unit: what the place wrote down for itself
    :param buckets: of the items to list, as packed text
    :param sample: how many keys are wanted of the whole table
    :param below: only keys whose random rank is below this are picked
    """

    side: Side
    work: Work
    unit: str
    buckets: str = ""
    sample: int = 0
    seed: int = 0
    below: int = 0

    def to_json(self) -> str:
        """The text of a unit's ``spec``."""
        return json.dumps({name: value for name, value in asdict(self).items() if value not in ("", 0)})

    @classmethod
    def from_json(cls, text: str) -> SidePart:
        """The part whose text this is."""
        data: dict[str, Any] = {"unit": "", **json.loads(text)}
        return cls(**data)


def side_units(worker: Worker, plan: TablePlan, side: Side, work: Work, **more: Any) -> list[Unit]:
    """The units of one side of a table."""
    parts = list(plan.units) if side == "source" else worker.target.units(plan.target, _wanted(plan))
    return [
        Unit(f"{side}-{plan.source.name}-{number:05d}", plan.source.name, SidePart(side, work, part, **more).to_json())
        for number, part in enumerate(parts)
    ]


def _wanted(plan: TablePlan) -> int:
    return max(1, min(len(plan.units), _MOST_UNITS))


def place_of(worker: Worker, side: Side) -> Place:
    """The place of a side."""
    return worker.source if side == "source" else worker.target


def table_names(plan: Plan) -> list[str]:
    """The source's tables, in the plan's order."""
    return [table.source.name for table in plan.tables]
