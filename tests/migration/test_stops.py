"""Places that go away for a while, workers that hang or are late, interrupts, and a disk that is full."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from attrs import evolve

from isthmus.cli.exit_codes import ExitCode
from isthmus_engines.mongodb_set import MongoDBSet
from isthmus_migration.cli.base import exit_code_of
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.reporting import read_events
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.transforms import Transform
from tests.faults.replica_sets import own_set
from tests.migration.conftest import Planned
from tests.migration.coordinate import PAUSED, UNWRITABLE
from tests.migration.poison import FIRST
from tests.migration.runs import HELD, PATIENCE, THINGS, UNHELD, Running, killed_at_end, until

AWAY = float(os.environ.get("MIGRATION_AWAY", "0"))
"""Seconds for which the target is away, from when that was noticed; ``make migration-kills`` says 20."""
LASTING = {THINGS.name: Transform(function="tests.migration.poison:lasting")}
TARGET = "ISTHMUS_TEST_TARGET"


@pytest.fixture
def own_server() -> Iterator[MongoDBSet]:
    """A MongoDB server of this test's own."""
    with own_set(1) as server:
        yield server


@pytest.fixture
def away(planned: Planned, own_server: MongoDBSet, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A migration to that server, whose workers don't wait long for it."""
    url = urlsplit(own_server.running.url)._replace(path="/away")
    monkeypatch.setenv(TARGET, url.geturl())
    run = planned(2_000, target=f"env:{TARGET}")
    monkeypatch.setenv(TARGET, url._replace(query=f"{url.query}&serverSelectionTimeoutMS=500").geturl())
    return evolve(run, target=url.geturl())


def test_the_target_is_away_for_a_while(away: Running, own_server: MongoDBSet) -> None:
    """Units wait and go on by themselves; no item is taken for a bad one."""
    with killed_at_end(away.start("copy", **HELD)) as coordinator:
        away.at_work(coordinator)
        own_server.kill(0)
        until(lambda: away.told("waiting") > away.told("working_again"), "it is noticed")
        time.sleep(AWAY)
        own_server.restart(0)
        away.released()
        away.ended(coordinator)
    away.equal()
    assert away.migration.status().found.dead == 0
    assert away.told("working_again") == away.told("waiting") >= 1


def test_a_target_that_stays_away_pauses_the_run(away: Running, own_server: MongoDBSet) -> None:
    """Patience ends: the run is paused with the reason, and goes on when it is asked to."""
    stopped: list[bool] = []

    def stop(code: str, data: dict[str, Any]) -> None:
        # Patience must not end before, by a worker that takes a while to connect.
        if code == "phase" and data["phase"] == "copy":
            stopped.append(True)
            own_server.kill(0)

    options = RunOptions(slice_items=100, patience=1.0, listener=stop)
    outcome = away.migration.run(engine="threads", workers=2, options=options)
    assert stopped == [True]
    assert outcome.ending == "unreachable"
    assert outcome.reason
    assert away.state() == "paused"
    own_server.restart(0)
    assert away.migration.run(engine="threads", workers=2).finished
    away.equal()


def test_a_hanging_worker_is_ended_and_its_slice_done_again(planned: Planned, tmp_path: Path) -> None:
    """A worker that takes far longer than any slice may is killed; the others go on meanwhile."""
    run = planned(2_000, transforms=LASTING)
    run.environment[FIRST] = str(tmp_path / "first")
    run.finish("copy", workers=2, slice_items=50, slice_seconds=3.0)
    run.equal()
    assert run.told("worker_died") == run.redone() >= 1
    run.no_orphans()


def test_a_late_worker_of_a_killed_run_does_no_harm(planned: Planned) -> None:
    """A worker sleeps while its coordinator is killed and another one finishes; it ends, on Linux while it sleeps."""
    run = planned(2_000)
    with killed_at_end(run.start("copy", **HELD)) as coordinator:
        run.at_work(coordinator)
        until(run.workers, "there is a worker")
        (late, *_others) = run.workers()
        late.send_signal(signal.SIGSTOP)
        until(lambda: late.status() == psutil.STATUS_STOPPED, "it sleeps")  # until then it could see the end
        coordinator.kill()
    run.finish("copy")
    with suppress(psutil.NoSuchProcess):
        late.send_signal(signal.SIGCONT)
    run.no_orphans()
    run.equal()


def test_the_first_interrupt_ends_slices_and_the_second_ends_all(planned: Planned, tmp_path: Path) -> None:
    """After one Ctrl-C what is in flight is journaled; after two nothing goes on, and nobody stays behind."""
    run, lasting = planned(4_000, transforms=LASTING), tmp_path / "first"
    run.environment[FIRST] = str(lasting)
    with killed_at_end(run.start("copy", **HELD)) as coordinator:
        run.at_work(coordinator)
        coordinator.send_signal(signal.SIGINT)
        run.ended(coordinator, code=PAUSED)
    assert run.redone() == 0
    assert run.state() == "paused"
    with killed_at_end(run.start("copy", workers=2, items_per_second=UNHELD)) as coordinator:
        until(lasting.exists, "a slice goes on for ever")
        coordinator.send_signal(signal.SIGINT)
        until(lambda: interrupts(run) == 2, "the first one was heard in each run")
        coordinator.send_signal(signal.SIGINT)
        assert coordinator.wait(PATIENCE) not in {0, PAUSED}
    run.no_orphans()
    assert run.redone()
    assert run.state() == "paused"
    run.finish("copy")
    run.equal()


def interrupts(run: Running) -> int:
    """How often a coordinator told that it is stopping."""
    return sum(event["event"] == "stopping" for event in read_events(run.workdir))


def test_a_full_disk_under_the_journal_ends_the_run_and_loses_nothing(planned: Planned) -> None:
    """Nothing that the journal can't hold counts as done; with room again, the run goes on."""
    assert exit_code_of(JournalUnwritable("full")) == ExitCode.PAUSED
    run = planned(6_000)
    size = run.migration.work.journal_file.stat().st_size
    with killed_at_end(run.start("copy", workers=2, slice_items=50, file_bytes=size + 200_000)) as coordinator:
        run.ended(coordinator, code=UNWRITABLE)
    assert "make room" in run.log.read_text()
    run.no_orphans()
    assert run.settled("copy")
    assert run.redone()
    run.finish("copy")
    run.equal()
