"""A work directory on disk: made whole or not at all, checked when it is opened."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from isthmus.errors import AlreadyExists, ConfigurationError
from isthmus_migration.errors import PlanChanged, WorkDirectoryDamaged
from isthmus_migration.journal.acceptances import UNWRITTEN
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.differences import json_differences
from isthmus_migration.plans.plan import Plan

_SHOWN: Final = 5


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
        :raises ConfigurationError: the place can't be written to
        """
        check_free(path)
        work, made = cls(path), not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            work._fill(plan)
        except (OSError, sqlite3.Error) as error:
            work._empty(remove=made)
            raise _unwritable(path, error) from error
        except KeyboardInterrupt:
            work._empty(remove=made)
            raise
        return work

    def _fill(self, plan: Plan) -> None:
        # The plan comes last: a directory without it was never finished and holds nothing that was moved.
        begun = {"plan": plan.hash, "plan_text": plan.to_json()}
        Journal.create(self.journal_file, begun, (("copy", unit) for unit in plan.units()))
        self.images.mkdir()
        write_whole(self.plan_file, plan.to_json())

    @property
    def is_unfinished(self) -> bool:
        """Whether whoever planned was killed before the end, so that there is nothing to resume."""
        return _is_file(self.journal_file) and not self.plan_file.exists()

    def _empty(self, *, remove: bool) -> None:
        """Take back what was made of a directory that could not be finished, as far as that is possible."""
        with suppress(OSError):
            for path in self.path.iterdir():
                path.rmdir() if path.is_dir() else path.unlink()
            if remove:
                self.path.rmdir()

    @classmethod
    def open(cls, path: Path) -> Self:
        """A directory that exists.

        :raises WorkDirectoryDamaged: it is none
        """
        work = cls(path)
        if work.is_unfinished:
            raise WorkDirectoryDamaged(_unfinished(path))
        for file in (work.plan_file, work.journal_file):
            if not _is_file(file):
                raise WorkDirectoryDamaged(
                    f"{path} is no work directory, {file.name} is missing: plan a migration first"
                )
        return work

    def plan(self) -> Plan:
        """The plan in force.

        :raises PlanChanged: the file's is not that of the journal
        """
        try:
            return self._plan()
        except PlanChanged:
            return self._plan()  # another process may have accepted a new one between two looks

    def _plan(self) -> Plan:
        with self.journal(writable=False) as journal:
            begun, known = journal.meta("plan_text") or "{}", journal.meta("plan")
            accepted = journal.meta(UNWRITTEN) is not None
        # Whoever accepted a new plan was killed before its file was written.
        text = begun if accepted else self._plan_text()
        plan = Plan.from_json(text)
        differences = json_differences(json.loads(begun), json.loads(text))
        if plan.hash != known or differences:
            raise PlanChanged(
                f"{self.plan_file} is not the plan that the journal was begun with ({_listed(differences)}): restore "
                "it, or plan anew in another directory",
                differences=differences,
            )
        return plan

    @staticmethod
    def check_in_force(journal: Journal, plan: Plan) -> None:
        """Refuse to go on with a plan that was read before a new one was accepted; under the lock.

        :raises PlanChanged: another plan is in force
        """
        if journal.meta("plan") != plan.hash:
            raise PlanChanged("a new plan was accepted since this one was read: open the migration anew")

    def settle_plan(self, journal: Journal) -> None:
        """Write the plan's file where a new plan was accepted and that is still to be done; under the lock.

        Where there is no room for it, the new plan is in force all the same, and it is written later.
        """
        if journal.meta(UNWRITTEN) is None:
            return
        try:
            write_whole(self.plan_file, journal.meta("plan_text") or "")
        except OSError:
            return
        with journal.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE name = ?", (UNWRITTEN,))

    def _plan_text(self) -> str:
        try:
            return self.plan_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise WorkDirectoryDamaged(
                f"{self.plan_file} can't be read ({reason}): mend that, restore it, or plan anew"
            ) from error

    def journal(self, *, writable: bool) -> Journal:
        """The journal, opened."""
        return Journal(self.journal_file, writable=writable)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise WorkDirectoryDamaged(f"{path} can't be looked at ({error.strerror}): check its permissions") from error


def check_free(path: Path) -> None:
    """Refuse a place for a new work directory where one can't be made; nothing is written.

    :raises AlreadyExists: there is something already
    :raises ConfigurationError: it is no folder, or can't be written to
    """
    if "\0" in str(path):
        raise ConfigurationError(
            "the name of the work directory has a zero byte in it, which no path may have: leave it out"
        )
    try:
        if path.is_dir() and WorkDirectory(path).is_unfinished:
            raise AlreadyExists(_unfinished(path))
        if path.exists() and any(path.iterdir()):
            raise AlreadyExists(f"{path} is not empty: resume what is there, or name another work directory")
        there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    except OSError as error:
        raise _unwritable(path, error) from error
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise _unwritable(path)


def _unfinished(path: Path) -> str:
    return (
        f"plan.json in {path} is missing, so the plan was never finished, or was taken away: restore it, or remove the "
        "folder if nothing was run, and plan anew"
    )


def _unwritable(path: Path, error: Exception | None = None) -> ConfigurationError:
    reason = f" ({error})" if error is not None else ""
    return ConfigurationError(f"the work directory {path} can't be made{reason}: name a folder that may be written")


def _listed(differences: list[str]) -> str:
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole, or not at all, whatever happens meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
