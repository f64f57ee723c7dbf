"""Making plans: read what is there, decide how it is divided, and check that it can work."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from isthmus.errors import InvalidArgument, TableNotFound
from isthmus.schema import Table
from isthmus_migration.errors import PlanRefused
from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import IntoExisting, PlacePlan, Plan, TablePlan
from isthmus_migration.transforms import Transform, compile_transform

UNIT_BYTES = 64_000_000
"""About how many bytes a unit should have."""


@frozen
class Wish:
    """What the user asked for, beside the places.

    :param tables: names of the source's tables; all when empty
    :param transforms: declarations by the source's table
    :param units: how many units each table is divided into; chosen by its size where ``None``
    """

    tables: tuple[str, ...] = ()
    transforms: Mapping[str, Transform] = field(factory=dict)
    into_existing: IntoExisting = "refuse"
    keep_images: bool = True
    units: int | None = None
    workers: int = 2


def make_plan(source: Place, target: Place, ends: tuple[PlacePlan, PlacePlan], wish: Wish) -> Plan:
    """The plan of moving tables from one place to another; nothing is written.

    :raises TableNotFound: the source lacks a table
    :raises PlanRefused: it can't work; ``problems`` says why
    """
    names = wish.tables or tuple(table.name for table in source.tables())
    if not names:
        raise PlanRefused(f"{source.name} has no tables: name another source")
    problems: list[str] = []
    tables = tuple(_table_plan(source, target, name, wish, problems) for name in dict.fromkeys(names))
    problems += _shared_targets(tables)
    if problems:
        raise PlanRefused(f"the migration can't be planned: {'; '.join(problems)}", problems=problems)
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Plan(secrets.token_hex(8), made, *ends, tables, wish.into_existing, wish.keep_images)


def _table_plan(source: Place, target: Place, name: str, wish: Wish, problems: list[str]) -> TablePlan:
    table = source.table(name)
    transform = wish.transforms.get(name, Transform())
    wanted = target_table(table, transform, target)
    created, occupied = _target_state(target, wanted, wish, problems)
    facts = source.facts(table)
    units = source.units(table, wish.units or _unit_count(facts.size, wish.workers))
    return TablePlan(
        table, wanted, tuple(units), created, occupied, _written(transform), facts.items, facts.size
    )  # fmt: skip


def _written(transform: Transform) -> dict[str, Any] | None:
    return None if transform == Transform() else transform.sealed().to_dict()


def target_table(table: Table, transform: Transform, target: Place) -> Table:
    """The definition that the target gets."""
    return target.kept(
        table if transform == Transform() else compile_transform(transform, table, target.limits).target_table
    )


def _target_state(target: Place, wanted: Table, wish: Wish, problems: list[str]) -> tuple[bool, bool]:
    """Whether the migration creates the table, and whether it holds items already."""
    try:
        stored = target.table(wanted.name)
    except TableNotFound:
        return True, False
    differences = wanted.differences(stored)
    if differences:
        problems.append(f"table {wanted.name!r} of the target has another definition: {', '.join(differences)}")
    occupied = bool(target.read(stored, target.units(stored, 1)[0], None, items=1, size=1_000_000).items)
    if occupied and wish.into_existing == "refuse":
        problems.append(
            f"table {wanted.name!r} of the target holds items: choose an empty one, or say what happens to items that "
            "are there already (upsert, fail or skip)"
        )
    return False, occupied


def _shared_targets(tables: Iterable[TablePlan]) -> list[str]:
    names = [table.target.name for table in tables]
    return [f"two tables would be moved into {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]


def _unit_count(size: int | None, workers: int) -> int:
    by_size = 1 if size is None else size // UNIT_BYTES
    return max(4 * workers, min(by_size, 4_096))


def check_apart(source: Place, target: Place) -> None:
    """Refuse to move data onto itself.

    :raises InvalidArgument: both places are one
    """
    if source.identity == target.identity:
        raise InvalidArgument(f"source and target are the same place, {source.name}: name another target")
