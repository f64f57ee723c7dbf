"""Migrations between databases in memory that are stopped or cut off in the middle, and get another plan then."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from isthmus import Database
from isthmus_migration import AcceptedPlan, Migration, Transform
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import PlanRefused, WrongState

Items = dict[str, dict[str, Any]]
OLD = Transform(compute={"kind": {"value": "old"}})
NEW = Transform(compute={"kind": {"value": "new"}})
ITEMS = 24
CHANGE = Transform(function="isthmus_accepted_code:change")


def planned(source: Database, target: Database, folder: Path, transform: Transform, **more: Any) -> Migration:
    """A plan of moving the things, in three units."""
    return Migration.plan(source, target, workdir=folder / "work", transforms=given_as(transform), units=3, **more)


def copied(migration: Migration, slices: int | None = None) -> bool:
    """Copy, in slices of two items; stopped gently after some of them. Whether it finished."""
    left = [slices]

    def count(code: str, _data: dict[str, Any]) -> None:
        if code == "slice" and left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                ControlFile(migration.work.path).say("stop", None)

    if slices == 0:
        return False
    return migration.run(engine="inline", options=RunOptions(slice_items=2, listener=count)).finished


def cut_off(migration: Migration) -> None:
    """Copy, and die after a slice was written and before it was journaled."""

    def die(code: str, _data: dict[str, Any]) -> None:
        if code == "slice":
            raise WrongState("it died here")

    with suppress(WrongState):  # unless nothing was left
        migration.run(engine="threads", workers=2, options=RunOptions(slice_items=2, listener=die))


def things_of(database: Database) -> Items:
    """All things of a database, by their ids."""
    return {str(item["id"]): dict(item) for item in database.tables.open("things").scan()}


def accept(migration: Migration, transform: Transform | None = None) -> AcceptedPlan:
    """Accept a plan with another transform, or with the code of now."""
    accepted = migration.accept_new_plan(transforms=None if transform is None else given_as(transform))
    assert accepted is not None
    return accepted


def refused(migration: Migration, said: str, transform: Transform | None = None) -> None:
    """A plan is refused, and the former one stays in force."""
    before = migration.the_plan
    with pytest.raises(PlanRefused, match=said):
        accept(migration, transform)
    assert migration.the_plan == before == migration.work.plan()
    assert migration.status().accepted == ()


def given_as(transform: Transform) -> Mapping[str, Transform]:
    """A transform of the things, as plans are given it."""
    return {} if transform == Transform() else {"things": transform}


def write_code(path: Path, body: str) -> None:
    """Change the code, as if the next run were another process."""
    former = path.stat().st_mtime if path.exists() else 0
    path.write_text(f"def change(item):\n    {body}\n")
    # Python takes compiled code for that of a file of the same size that was changed in the same second.
    os.utime(path, times=2 * (max(former, path.stat().st_mtime) + 2,))
    sys.modules.pop(path.stem, None)
