"""Verifying any two places against each other, without a migration before."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.session import session
from isthmus_migration.engines.base import Engine
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.places.base import Place
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.references import Given
from isthmus_migration.plans.making import check_apart, check_transforms, table_names, target_table
from isthmus_migration.plans.plan import PlacePlan, Plan, TablePlan
from isthmus_migration.plans.planning import check_beside, compared_plans
from isthmus_migration.slices.worker import Setup
from isthmus_migration.transforms import Transform
from isthmus_migration.verification.results import Verification
from isthmus_migration.verification.settings import Settings
from isthmus_migration.verification.verifying import Verifying

_UNITS: Final = 8
_UNIT_BYTES: Final = 64_000_000


def verify_places(
    source: Given,
    target: Given,
    *,
    tables: Sequence[str] = (),
    transforms: Mapping[str, Transform] | None = None,
    level: str = "digest",
    sample: int = 1_000,
    seed: int = 0,
    extra: bool | None = None,
    definitions: Sequence[Table] = (),
    workdir: str | os.PathLike[str] | None = None,
    again: bool = False,
    engine: str | Engine | None = None,
    workers: int | None = None,
    options: RunOptions | None = None,
) -> Verification:
    """Compare two places: databases of any backend, or folders with exports. Nothing is written to either.

    :param source: a database URL, ``env:NAME`` for one in the environment, a folder, or a database that is open, sync
        or async; likewise the target
    :param tables: names of the source's tables; all when empty
    :param transforms: by the source's table: the target should hold what they make of the source's items
    :param level: ``count`` compares numbers of items, ``sample`` some keys, ``digest`` digests of all items,
        ``full`` all items field by field
    :param sample: how many keys of each table the level ``sample`` looks up
    :param seed: decides which keys these are
    :param extra: whether items that only the target has are mismatches; yes when ``None``
    :param definitions: of tables, for exports that AWS wrote, which have none; on either side
    :param workdir: a folder for what an interrupted verification needs to go on; temporary when ``None``
    :param again: begin anew in that folder, even if the last verification was interrupted
    :raises InvalidArgument: there is no such level, both places are one, a transform is for another table, or the
        folder lies in one of the places
    :raises TableNotFound: the source lacks a table
    """
    settings = Settings.checked(level, sample, seed, extra)
    ends = compared_plans(source, target, definitions)
    with folder_for(workdir) as folder:
        work = _work(folder, source, target, ends, tables, transforms or {})
        plan = work.plan()
        setup = Setup(plan.to_json(), str(work.path.resolve()), source, target, writes=False)
        with session(work, plan, setup, engine=engine, workers=workers, options=options) as at_work:
            return Verifying(at_work, setup, settings, again).run()


@contextmanager
def folder_for(workdir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The work directory that was named, or one that goes away afterwards."""
    if workdir is not None:
        yield Path(workdir)
        return
    with tempfile.TemporaryDirectory(prefix="isthmus-verify-") as folder:
        yield Path(folder)


def _work(
    folder: Path, source: Given, target: Given, ends: tuple[PlacePlan, PlacePlan], tables: Sequence[str],
    transforms: Mapping[str, Transform],
) -> WorkDirectory:  # fmt: skip
    """The work directory: the one that is there, if it is of the same places, else a new one."""
    if (folder / "plan.json").exists():
        work = _same(WorkDirectory.open(folder), ends)
        with open_place(ends[0], source) as here:
            _check_same_question(work, _names(here, tables, transforms), transforms)
        return work
    with open_place(ends[0], source) as here, open_place(ends[1], target) as there:
        check_apart(here, there)
        for place in (here, there):
            check_beside(folder, place)
        names = _names(here, tables, transforms)
        plans = tuple(_table_plan(here, there, name, transforms.get(name, Transform())) for name in names)
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    work = WorkDirectory.create(folder, Plan(secrets.token_hex(8), made, *ends, plans, keep_images=True))
    with work.journal(writable=True) as journal:
        # Nothing of this directory is ever copied.
        journal.forget_phase("copy")
        journal.set_meta(purpose="verify")
        journal.enter(State.VERIFYING)
    return work


def _same(work: WorkDirectory, ends: tuple[PlacePlan, PlacePlan]) -> WorkDirectory:
    plan = work.plan()
    if (plan.source, plan.target) != ends:
        raise InvalidArgument(
            f"{work.path} holds a verification of {plan.source.reference.text} and {plan.target.reference.text}: "
            "name another work directory"
        )
    return work


def _names(source: Place, tables: Sequence[str], transforms: Iterable[str]) -> tuple[str, ...]:
    names = table_names(tables) or tuple(table.name for table in source.tables())
    check_transforms(transforms, names)
    return names


def _check_same_question(work: WorkDirectory, names: tuple[str, ...], transforms: Mapping[str, Transform]) -> None:
    plan = work.plan()
    held = tuple(table.source.name for table in plan.tables)
    if set(held) != set(names):
        raise InvalidArgument(
            f"{work.path} holds a verification of other tables ({', '.join(held)}): name another work directory"
        )
    other = [name for name in names if _written(transforms.get(name, Transform())) != plan.table(name).transform]
    if other:
        raise InvalidArgument(
            f"{work.path} holds a verification with other transforms of {', '.join(other)}: name another work directory"
        )


def _written(transform: Transform) -> dict[str, Any] | None:
    return None if transform == Transform() else transform.sealed().to_dict()


def _table_plan(source: Place, target: Place, name: str, transform: Transform) -> TablePlan:
    table, facts = source.table(name), source.facts(source.table(name))
    units = source.units(table, max(_UNITS, (facts.size or 0) // _UNIT_BYTES))
    written = _written(transform)
    wanted = target_table(table, transform, target)
    return TablePlan(
        table, wanted, tuple(units), False, False, written, facts.items, facts.size
    )  # neither created nor occupied
