"""What happens to one table: which definition the target gets, whether it is there already, how it is divided."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field, frozen

from isthmus.errors import InvalidArgument, TableNotFound
from isthmus.schema import Table
from isthmus_migration.errors import PlanRefused
from isthmus_migration.places.base import Place, TableFacts
from isthmus_migration.plans.apart import apart
from isthmus_migration.plans.checking import SampleCheck
from isthmus_migration.plans.estimates import Prices, estimate
from isthmus_migration.plans.findings import Finding, TablePreflight
from isthmus_migration.plans.plan import IntoExisting, TablePlan
from isthmus_migration.transforms import CompiledTransform, Sample, Transform, compile_transform

UNIT_BYTES: Final = 128 << 20
"""About how many bytes a unit should have."""
MOST_UNITS: Final = 10_000
"""More are refused: each of them is looked at when a plan is made, and read on its own."""
_MOST_BY_SIZE: Final = 4_096


@frozen
class Wish:
    """What the user asked for, beside the places.

    :param tables: names of the source's tables; all when empty
    :param transforms: declarations by the source's table
    :param units: how many units each table is divided into; chosen by its size where ``None``
    :param workers: how many the run will have, about
    :param sample: so many items of each table are looked at
    :param seed: of the chance that chooses them
    """

    tables: tuple[str, ...] = ()
    transforms: Mapping[str, Transform] = field(factory=dict)
    into_existing: IntoExisting = "refuse"
    keep_images: bool = True
    units: int | None = None
    workers: int = 2
    sample: int = 1_000
    seed: int = 0
    prices: Prices = field(factory=Prices)


@frozen
class Planned:
    """A table's plan, and what was found while it was made.

    :param samples: what the transform made of some items, values included
    """

    plan: TablePlan
    preflight: TablePreflight
    findings: tuple[Finding, ...]
    samples: tuple[Sample, ...] = field(repr=False)
    notes: tuple[str, ...] = ()


@define
class TablePlanner:
    """Plans tables one by one and collects why some can't be moved.

    :ivar problems: a sentence for each reason
    """

    here: Place
    there: Place
    wish: Wish
    problems: list[str] = field(factory=list)

    def decide(self, name: str) -> Decision:
        """What shall become of a table; nothing of its items is read.

        :raises TableNotFound: the source has none of this name
        """
        table, transform = self.here.table(name), self.wish.transforms.get(name, Transform())
        compiled = compile_transform(transform.sealed(), table, self.there.limits)
        wanted = self.there.kept(compiled.target_table)
        created, occupied = self._state(wanted)
        self.problems += self.there.unmet_needs(wanted, created=created)
        return Decision(table, wanted, transform, compiled, created, occupied)

    def plan(self, decision: Decision) -> Planned:
        """Divide a table and put a sample of it to the test."""
        table, wanted = decision.source, decision.target
        facts = self.here.facts(table)
        units = self._divided(table, facts)
        with apart(decision.compiled, table, self.there.limits) as trial:
            check = SampleCheck(self.here, self.there, table, wanted, trial)
            check.run(units, self.wish.sample, self.wish.seed)
        self.problems += self.there.losses(wanted, [one.after for one in check.samples if one.after is not None])
        present = check.present() if decision.occupied else 0
        looks = decision.occupied or decision.compiled.changes_keys or not self.here.unique_keys
        guess = estimate(
            self.here, self.there, facts, check.sampled, workers=self.wish.workers, prices=self.wish.prices,
            looks=looks,
        )  # fmt: skip
        plan = TablePlan(
            table, wanted, tuple(units), decision.created, decision.occupied, decision.written, guess.items, guess.size
        )
        preflight = TablePreflight(
            table.name, wanted.name, decision.created, len(units), check.sampled.items, check.sampled.whole, guess,
            present,
        )  # fmt: skip
        findings = (*check.findings, *self._warnings(decision, present))
        return Planned(plan, preflight, findings, tuple(check.samples), decision.compiled.notes)

    # ---- the target's table ----

    def _state(self, wanted: Table) -> tuple[bool, bool]:
        """Whether the migration creates the table, and whether it holds items already."""
        try:
            stored = self.there.table(wanted.name)
        except TableNotFound:
            return True, False
        except InvalidArgument as error:
            self.problems.append(f"table {wanted.name!r} can't be in the target: {error.message}")
            return True, False
        if not self.there.holds_keys:
            self.problems.append(
                f"{self.there.name} has a table {wanted.name!r}, and no export is written into: name another folder"
            )
            return False, False
        differences = wanted.differences(stored)
        if differences:
            self.problems.append(
                f"table {wanted.name!r} of the target has another definition: {', '.join(differences)}"
            )
        occupied = is_occupied(self.there, stored)
        if occupied and self.wish.into_existing == "refuse":
            self.problems.append(
                f"table {wanted.name!r} of the target holds items: choose an empty one, or say what happens to items "
                "that are there already (--into-existing, or into_existing in Python: upsert, fail or skip)"
            )
        return False, occupied

    # ---- units ----

    def _divided(self, table: Table, facts: TableFacts) -> list[str]:
        units = self.here.units(table, self.wish.units or _unit_count(facts.size, self.wish.workers))
        if self.here.form == "dynamodb":
            # Neighbouring segments may be one partition of the service, which should not get all the readers.
            random.Random(len(units)).shuffle(units)  # noqa: S311  # an order, not a secret
        return units

    def _warnings(self, decision: Decision, present: int) -> Iterable[Finding]:
        name, wanted = decision.source.name, decision.target
        for unique in decision.compiled.target_table.unique:
            if unique not in wanted.unique:
                yield Finding(
                    "warning", "unique_not_kept", name,
                    f"the target keeps no unique constraint {unique.name!r}: declare it in a model, and let "
                    "rebuild_unique_values() go over the items",
                )  # fmt: skip
        digits, most = self.here.limits.number_digits, self.there.limits.number_digits
        if digits > most:
            yield Finding(
                "warning",
                "fewer_digits",
                name,
                f"the source's numbers may have {digits} digits, the target's {most}: longer ones become dead letters",
            )
        yield from (Finding("warning", "definition", name, note) for note in decision.compiled.notes)
        if present:
            yield Finding("warning", "present", name, f"the target has items under {present} of the sampled keys")


@frozen
class Decision:
    """What shall become of a table.

    :param created: whether the migration creates the target's table
    :param occupied: whether that holds items already
    """

    source: Table
    target: Table
    transform: Transform
    compiled: CompiledTransform
    created: bool
    occupied: bool

    @property
    def written(self) -> dict[str, Any] | None:
        """The transform as the plan keeps it."""
        return None if self.transform == Transform() else self.transform.sealed().to_dict()


def is_occupied(place: Place, table: Table) -> bool:
    """Whether a table holds anything."""
    for unit in place.units(table, 1):
        cursor: str | None = None
        while True:
            found = place.read(table, unit, cursor, items=1, size=1_000_000)
            cursor = found.cursor
            if found.items or found.unreadable:
                return True
            if cursor is None:
                break
    return False


def _unit_count(size: int | None, workers: int) -> int:
    by_size = 1 if size is None else size // UNIT_BYTES
    return max(min(4 * workers, MOST_UNITS), min(by_size, _MOST_BY_SIZE))


def overlaps(here: Place, there: Place, decisions: Iterable[Decision]) -> list[str]:
    """Why tables would get into each other's way, a sentence for each."""
    decided = list(decisions)
    names = [decision.target.name for decision in decided]
    found = [f"two tables would be moved into {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    source, target = here.identity, there.identity
    if not source.same(target):
        if any(map(source.holds, target.paths)):
            found.append(
                f"{there.name} lies in the export that is read, which would be damaged: name a place beside it"
            )
        return found
    read = {source.stored_name(decision.source.name) for decision in decided}
    own = [decision.target.name for decision in decided if target.stored_name(decision.target.name) in read]
    return found + [
        f"source and target are the same place, and {name!r} is a table that is read: name another target, or another "
        "table with into" for name in own
    ]  # fmt: skip


def refuse(problems: list[str]) -> None:
    """Refuse a plan that has problems.

    :raises PlanRefused: there are some
    """
    if problems:
        raise PlanRefused(f"the migration can't be planned: {'; '.join(problems)}", problems=problems)
