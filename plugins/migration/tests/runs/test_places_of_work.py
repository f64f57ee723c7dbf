"""Workers that are stopped, slices whose worker died late, and a work directory that can't be written to."""

from __future__ import annotations

import errno
import os
import signal
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import AlreadyExists
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.engines import members
from isthmus_migration.engines.failures import WorkerDied
from isthmus_migration.engines.inline import InlineEngine
from isthmus_migration.engines.processes import ProcessEngine
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal import workdir
from isthmus_migration.migration import Migration
from isthmus_migration.plans import planning
from isthmus_migration.tasks import SliceResult, SliceTask
from plugins.migration.tests.dead.helpers import digest, expected, fill, letters, numbered, run, sqlite


def _planned(folder: Path, target: str, *, units: int = 1) -> Migration:
    fill(sqlite(folder, "a"), numbered(0, 100))
    return Migration.plan(sqlite(folder, "a"), target, workdir=folder / "work", units=units)


def test_a_worker_that_is_stopped_before_its_slice_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have kept the slice for ever, because it has not begun it."""
    monkeypatch.setattr(members, "_TAKING", 1.0)
    migration, engine, stopped = _planned(tmp_path, sqlite(tmp_path, "b")), ProcessEngine(1), list[int]()
    ready = _noted_ready(monkeypatch)

    def stopping(code: str, _data: dict[str, Any]) -> None:
        if code == "phase" and not stopped:
            assert ready.wait(120), "no worker starts"
            stopped.extend(engine.pids())
            os.kill(stopped[0], signal.SIGSTOP)

    outcome = migration.run(engine=engine, options=RunOptions(slice_items=50, listener=stopping))
    assert outcome.finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    with pytest.raises(ProcessLookupError):
        os.kill(stopped[0], 0)


def _noted_ready(patch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a worker process has started up and waits for a slice."""
    ready, ready_pipe = threading.Event(), members.Member._ready_pipe

    def noted(member: members.Member) -> Connection:
        pipe = ready_pipe(member)
        ready.set()
        return pipe

    patch.setattr(members.Member, "_ready_pipe", noted)
    return ready


class _Dying(InlineEngine):
    """Its worker dies over the first item of the unit, each time after it has written the slice."""

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        done = super().submit(task)
        if task.phase != "copy" or task.cursor is not None:
            return done
        died: Future[SliceResult] = Future()
        died.set_exception(WorkerDied("it died"))
        return died


def test_an_item_that_is_given_up_is_in_no_part(tmp_path: Path) -> None:
    """What its workers had written of it before they died does not count."""
    migration = _planned(tmp_path, str(tmp_path / "export"))
    assert run(migration, engine=_Dying()).finished
    assert [code for _key, _phase, code in letters(migration)] == ["worker_died"]
    (table,) = migration.verify(engine="inline").tables
    assert (table.target_items, table.missing, table.extra) == (99, 0, 0)


@pytest.mark.parametrize("name", ["lock", "control.json", ".control.json.PID"])
def test_a_work_directory_that_cannot_be_written_to_is_named(tmp_path: Path, name: str) -> None:
    """It may be full, or somebody else's: nothing was done, and a run is possible later."""
    migration = _planned(tmp_path, sqlite(tmp_path, "b"))
    name = name.replace("PID", str(os.getpid()))
    (tmp_path / "work" / name).unlink(missing_ok=True)
    (tmp_path / "work" / name).mkdir()
    with pytest.raises(WorkDirectoryDamaged, match=r"(lock|control\.json) "):
        run(migration)
    (tmp_path / "work" / name).rmdir()
    assert run(migration).finished


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """What was begun is removed with the error, and written when there is room."""
    migration = _planned(tmp_path, sqlite(tmp_path, "b"))
    half = tmp_path / "work" / f".control.json.{os.getpid()}"
    half.symlink_to("/dev/full")
    with pytest.raises(WorkDirectoryDamaged, match="No space left"):
        run(migration)
    assert not os.path.lexists(half)
    assert run(migration).finished


class _Killed(BaseException):
    """The end of a process."""


def test_a_plan_that_was_never_finished_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is it taken for something to resume, nor does anybody go round in circles."""

    def killed(_path: Path, _text: str) -> None:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(workdir, "write_whole", killed)
        with pytest.raises(_Killed):
            _planned(tmp_path, sqlite(tmp_path, "b"))
    with pytest.raises(AlreadyExists, match=r"never finished.*remove the folder"):
        _planned(tmp_path, sqlite(tmp_path, "b"))
    with pytest.raises(WorkDirectoryDamaged, match=r"never finished.*remove the folder"):
        Migration.open(tmp_path / "work")


def test_a_disk_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not somebody who had the lock before."""
    migration = _planned(tmp_path, sqlite(tmp_path, "b"))

    def flock(_stream: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(WorkDirectoryDamaged, match=r"can't be locked .No locks available.*disk that has locks"):
        run(migration)
    assert migration.status().holder is None


def test_a_full_disk_under_the_lock_is_named(tmp_path: Path) -> None:
    """The lock is free again at once."""
    migration = _planned(tmp_path, sqlite(tmp_path, "b"))
    lock = tmp_path / "work" / "lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to("/dev/full")
    with pytest.raises(WorkDirectoryDamaged, match="make room"):
        run(migration)
    lock.unlink()
    assert run(migration).finished


def test_a_plan_is_whole_although_its_findings_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk became full at the last moment: the migration can be run, and what was found is not known any more."""
    monkeypatch.setattr(planning, "_PREFLIGHT", "missing/preflight.json")
    migration = _planned(tmp_path, sqlite(tmp_path, "b"))
    assert migration.preflight is None
    assert run(migration).finished
