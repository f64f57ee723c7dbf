"""Copied tables, and what is then done to the copy, for the tests of verifications and repairs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import isthmus
from isthmus.values import Item
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from isthmus_migration.verification.repair import Repair
from isthmus_migration.verification.results import Verification
from isthmus_migration.verification.standalone import verify_places
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite


def copied(folder: Path, items: Iterable[Item] | None = None, **options: Any) -> Migration:
    """A migration of 300 small items, or of others, that is done."""
    fill(sqlite(folder, "a"), numbered(0, 300) if items is None else items)
    options = {"units": 3, **options}
    migration = Migration.plan(sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", **options)
    assert run(migration).finished
    return migration


def change(folder: Path, *, put: Iterable[Item] = (), delete: Iterable[str] = (), where: str = "b") -> None:
    """Change a side behind the migration's back."""
    with isthmus.connect(sqlite(folder, where)) as database:
        table = database.table("things", partition_key="id")
        for item in put:
            table.put(item)
        for key in delete:
            table.delete(id=key)


def damage(folder: Path) -> None:
    """One item of the copy is missing, one is changed, one is extra; the count stays the same."""
    change(folder, put=[{"id": "k00007", "n": "seven"}, {"id": "stranger"}], delete=["k00042"])


DAMAGE = [("k00007", "changed"), ("k00042", "missing"), ("stranger", "extra")]


def verified(migration: Migration, level: str = "digest", *, slice_items: int = 50, **options: Any) -> Verification:
    """Verify in this thread, in small slices."""
    return migration.verify(level, engine="inline", options=RunOptions(slice_items=slice_items), **options)


def compared(folder: Path, **options: Any) -> Verification:
    """Verify both files without a migration."""
    options = {"options": RunOptions(slice_items=50), **options}
    return verify_places(sqlite(folder, "a"), sqlite(folder, "b"), engine="inline", **options)


def repaired(migration: Migration, **options: Any) -> Repair:
    """Repair in this thread."""
    return migration.repair(engine="inline", **options)


def named(result: Verification) -> list[tuple[Any, str]]:
    """Keys and kinds of the open mismatches."""
    return [(one.key["id"], one.kind) for one in result.mismatches if one.status == "open"]


class Slices:
    """Counts slices, and stops the run after some of them, as ``isthmus migrate stop`` does.

    :param most: slices of one run; no bound when ``None``
    :param phase: the only phase whose slices count, if one is given
    """

    def __init__(self, folder: Path, most: int | None = None, phase: str | None = None) -> None:
        self.done: list[str] = []
        self._control = ControlFile(folder / "work")
        self._most, self._phase, self._now = most, phase, ""

    @property
    def options(self) -> RunOptions:
        """Options of a run that tells of its slices."""
        return RunOptions(slice_items=50, listener=self._listen)

    def _listen(self, code: str, data: dict[str, Any]) -> None:
        if code == "phase":
            self._now = data["phase"]
        if code == "slice" and self._phase in (None, self._now):
            self.done.append(self._now)
            if len(self.done) == self._most:
                self._control.say("stop")
