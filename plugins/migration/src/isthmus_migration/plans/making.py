"""Making plans: decide what becomes of each table, refuse what can't work, and put samples to the test."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus_migration.errors import PlanRefused
from isthmus_migration.places.base import Place
from isthmus_migration.plans.estimates import assumptions
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.plans.plan import PlacePlan, Plan
from isthmus_migration.plans.table_plans import MOST_UNITS, TablePlanner, Wish, overlaps, refuse
from isthmus_migration.transforms import Sample, Transform, compile_transform


@frozen
class Made:
    """A plan with what was found while it was made.

    :param samples: by the source's table, what its transform made of some items, values included
    """

    plan: Plan
    preflight: Preflight
    samples: Mapping[str, tuple[Sample, ...]] = field(repr=False)


def make_plan(source: Place, target: Place, ends: tuple[PlacePlan, PlacePlan], wish: Wish) -> Made:
    """The plan of moving tables from one place to another; nothing is written.

    :raises TableNotFound: the source lacks a table
    :raises PlanRefused: it can't work; ``problems`` says why
    :raises InvalidArgument: a number that was asked for is not positive, or a transform is for no table that is moved
    """
    _check(wish)
    names = wish.tables or tuple(table.name for table in source.tables())
    if not names:
        raise PlanRefused(f"{source.name} has no tables: name another source")
    check_transforms(wish.transforms, names)
    planner = TablePlanner(source, target, wish)
    decisions = [planner.decide(name) for name in dict.fromkeys(names)]
    refuse([*planner.problems, *overlaps(source, target, decisions)])
    planned = [planner.plan(decision) for decision in decisions]
    refuse(planner.problems)
    preflight = Preflight(
        [one.preflight for one in planned], [finding for one in planned for finding in one.findings],
        tuple(assumptions((source, target), wish.prices, wish.workers)),
    )  # fmt: skip
    plan = Plan(
        secrets.token_hex(8), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), *ends,
        tuple(one.plan for one in planned), wish.into_existing, wish.keep_images,
        tuple(f"table {one.plan.source.name!r}: {note}" for one in planned for note in one.notes), preflight.summary(),
    )  # fmt: skip
    return Made(plan, preflight, {one.plan.source.name: one.samples for one in planned})


def _check(wish: Wish) -> None:
    numbers = {"units": wish.units, "workers": wish.workers, "sample": wish.sample}
    for name, number in numbers.items():
        if (number is None and name == "units") or (type(number) is int and number > 0):
            continue
        raise InvalidArgument(f"{name} is a positive whole number, not {number!r}")
    if wish.units is not None and wish.units > MOST_UNITS:
        raise InvalidArgument(f"a table is divided into at most {MOST_UNITS:,} units, not {wish.units:,}")
    if wish.into_existing not in ("refuse", "upsert", "fail", "skip"):
        raise InvalidArgument(f"into_existing is refuse, upsert, fail or skip, not {wish.into_existing!r}")


def table_names(tables: Sequence[str]) -> tuple[str, ...]:
    """Names of tables, each once.

    :raises InvalidArgument: they are one text, whose letters would be taken for names
    """
    if isinstance(tables, str):
        raise InvalidArgument(f"tables is a list of names, not a text: write [{tables!r}]")
    return tuple(dict.fromkeys(tables))


def check_transforms(transforms: Iterable[str], names: Collection[str]) -> None:
    """Refuse transforms that would never run, because their tables are not among those that are meant.

    :raises InvalidArgument: there is one
    """
    for name in transforms:
        if name not in names:
            raise InvalidArgument(
                f"there is a transform for {name!r}, which is no table that was asked for: those are {', '.join(names)}"
            )


def target_table(table: Table, transform: Transform, target: Place) -> Table:
    """The definition that the target gets."""
    return target.kept(compile_transform(transform, table, target.limits).target_table)


def check_apart(source: Place, target: Place) -> None:
    """Refuse to compare data with itself.

    :raises InvalidArgument: both places are one
    """
    here, there = source.identity, target.identity
    if here.same(there) and here.prefix == there.prefix:
        raise InvalidArgument(f"source and target are the same place, {source.name}: name another target")
