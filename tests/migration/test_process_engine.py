"""When processes are started, and that nobody waits for them longer than for a slice at work."""

from __future__ import annotations

import os
from multiprocessing import resource_tracker
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.engines.members import Member
from isthmus_migration.engines.processes import ProcessEngine
from isthmus_migration.slices.worker import Setup
from tests.migration.conftest import Planned
from tests.migration.runs import until


def test_an_engine_that_closes_waits_for_no_process_that_starts_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may be over before its last process is ready for it."""
    resource_tracker.ensure_running()
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr("multiprocessing.spawn._python_exe", os.fsencode(slow))
    engine = ProcessEngine(1)
    engine.start(Setup("{}", "nowhere"))
    until(engine.pids, "there is a process")
    (pid,) = engine.pids()
    engine.close()
    assert not psutil.pid_exists(pid)


def test_processes_that_the_machine_has_no_processors_for_are_started_later(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short run is over before it could use them, and they would only keep the first ones from getting going."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("isthmus_migration.engines.processes._LATER", 600.0)
    engine = ProcessEngine(2)
    run = planned(30)
    began: list[int] = []

    def listen(code: str, _data: dict[str, Any]) -> None:
        if code == "slice":
            began.append(len(engine.pids()))

    assert run.migration.run(engine=engine, options=RunOptions(slice_items=5, listener=listen)).finished
    assert set(began) == {1}


def test_a_worker_that_is_buried_while_it_is_ended_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinator ends what takes too long, just when its thread has found it dead."""
    seen = iter([SimpleNamespace(kill=lambda: None)])
    monkeypatch.setattr(
        Member, "_process", property(lambda _self: next(seen, None), lambda _self, _process: None), raising=False
    )
    Member(0, Setup("{}", "nowhere"), SimpleQueue()).kill(closing=False)
    assert next(seen, None) is None


def test_whoever_looks_at_a_journal_waits_for_another_who_has_it_to_himself(planned: Planned) -> None:
    """Far longer than a machine stalls: what is only busy would be taken for damaged."""
    with planned(3).migration.work.journal(writable=False) as journal:
        assert journal.rows("PRAGMA busy_timeout")[0][0] >= 60_000
