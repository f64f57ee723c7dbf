"""A work directory on disk: made whole or not at all, checked when it is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from isthmus.errors import AlreadyExists
from isthmus_migration.errors import PlanChanged, WorkDirectoryDamaged
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import Plan


class WorkDirectory:
    """The folder of one migration: ``plan.json``, ``journal.db``, ``lock``, ``control.json``, ``images/``, reports."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def plan_file(self) -> Path:
        """The plan."""
        return self.path / "plan.json"

    @property
    def journal_file(self) -> Path:
        """The journal."""
        return self.path / "journal.db"

    @property
    def images(self) -> Path:
        """Where pre-images are."""
        return self.path / "images"

    @classmethod
    def create(cls, path: Path, plan: Plan) -> Self:
        """Make the directory of a new migration.

        :raises AlreadyExists: there is something already
        """
        if path.exists() and any(path.iterdir()):
            raise AlreadyExists(f"{path} is not empty: resume what is there, or name another work directory")
        path.mkdir(parents=True, exist_ok=True)
        # The plan comes last: a directory without it was never finished and holds nothing that was moved.
        work = cls(path)
        Journal.create(work.journal_file, {"plan": plan.hash}, (("copy", unit) for unit in plan.units()))
        work.images.mkdir()
        write_whole(work.plan_file, plan.to_json())
        return work

    @classmethod
    def open(cls, path: Path) -> Self:
        """A directory that exists.

        :raises WorkDirectoryDamaged: it is none
        """
        work = cls(path)
        for file in (work.plan_file, work.journal_file):
            if not file.is_file():
                raise WorkDirectoryDamaged(
                    f"{path} is no work directory, {file.name} is missing: plan a migration first"
                )
        return work

    def plan(self) -> Plan:
        """The plan.

        :raises PlanChanged: it is not the one that the journal was begun with
        """
        plan = Plan.from_json(self.plan_file.read_text(encoding="utf-8"))
        with self.journal(writable=False) as journal:
            begun = journal.meta("plan")
        if plan.hash != begun:
            raise PlanChanged(
                f"{self.plan_file} is not the plan that the journal was begun with: restore it, or plan anew "
                "in another directory",
                differences=(f"hash of plan.json {plan.hash[:16]}, hash in the journal {str(begun)[:16]}",),
            )
        return plan

    def journal(self, *, writable: bool) -> Journal:
        """The journal, opened."""
        return Journal(self.journal_file, writable=writable)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole, or not at all, whatever happens meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
