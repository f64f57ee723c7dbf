"""Places that go away for a while, workers that hang or are late, interrupts, and a disk that is full."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from isthmus.cli.exit_codes import ExitCode
from isthmus_engines.mongodb_set import MongoDBSet
from isthmus_migration.cli.base import exit_code_of
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.journal import JournalUnwritable
from tests.faults.replica_sets import own_set
from tests.migration.conftest import Planned
from tests.migration.coordinate import PAUSED, UNWRITABLE
from tests.migration.runs import killed_at_end, until, workers_of

AWAY = float(os.environ.get("MIGRATION_AWAY", "3"))
"""Seconds for which the target is away; ``make migration-kills`` says 20."""
PACED = {"workers": 2, "slice_items": 50, "items_per_second": 600}


@pytest.fixture
def own_server() -> Iterator[MongoDBSet]:
    """A MongoDB server of this test's own."""
    with own_set(1) as server:
        yield server


def test_the_target_is_away_for_a_while(planned: Planned, own_server: MongoDBSet) -> None:
    """Units wait and go on by themselves; no item is taken for a bad one."""
    # Paced, so that it is at work when the server goes; and no call waits for its server until it is back.
    run = planned(3_000, target=place(own_server, 300))
    with killed_at_end(run.start("copy", **PACED)) as coordinator:
        until(lambda: run.settled("copy") > 3, "slices are journaled")
        own_server.kill(0)
        time.sleep(AWAY)
        own_server.restart(0)
        run.ended(coordinator)
    run.equal()
    assert run.migration.status().found.dead == 0
    codes = [code for (code,) in run.ask("SELECT code FROM event")]
    assert codes.count("waiting") >= 1
    assert codes.count("working_again") == codes.count("waiting")


def test_a_target_that_stays_away_pauses_the_run(planned: Planned, own_server: MongoDBSet) -> None:
    """Patience ends: the run is paused with the reason, and goes on when it is asked to."""
    run = planned(2_000, target=place(own_server, 300))
    stopped: list[bool] = []

    def stop(code: str, _data: object) -> None:
        if code == "slice" and not stopped:
            stopped.append(True)
            own_server.kill(0)

    options = RunOptions(slice_items=100, patience=1.0, listener=stop)
    outcome = run.migration.run(engine="threads", workers=2, options=options)
    assert outcome.ending == "unreachable"
    assert outcome.reason
    assert run.state() == "paused"
    own_server.restart(0)
    assert run.migration.run(engine="threads", workers=2).finished
    run.equal()


def place(server: MongoDBSet, patience: int) -> str:
    """The URL of a database there, for clients that wait so many milliseconds for their server."""
    url = urlsplit(server.running.url)
    return url._replace(path="/away", query=f"{url.query}&serverSelectionTimeoutMS={patience}").geturl()


def test_a_hanging_worker_is_ended_and_its_slice_done_again(planned: Planned) -> None:
    """A worker that takes far longer than any slice may is killed; the others go on meanwhile."""
    run = planned(2_000)
    with killed_at_end(run.start("copy", **PACED, slice_seconds=2.0)) as coordinator:
        until(lambda: run.settled("copy") > 3, "slices are journaled")
        workers_of(run, coordinator.pid)[0].send_signal(signal.SIGSTOP)
        run.ended(coordinator)
    run.equal()
    assert [code for (code,) in run.ask("SELECT code FROM event")].count("worker_died") == 1
    run.no_orphans()


def test_a_late_worker_of_a_killed_run_does_no_harm(planned: Planned) -> None:
    """A worker sleeps while its coordinator is killed and another one finishes; awake again, it ends by itself."""
    run = planned(2_000)
    with killed_at_end(run.start("copy", **PACED)) as coordinator:
        until(lambda: run.settled("copy") > 3, "slices are journaled")
        (late, *_others) = workers_of(run, coordinator.pid)
        late.send_signal(signal.SIGSTOP)
        os.kill(coordinator.pid, signal.SIGKILL)
    run.finish("copy", workers=2)
    assert late.is_running()
    late.send_signal(signal.SIGCONT)
    run.no_orphans()
    run.equal()


def test_the_first_interrupt_ends_slices_and_the_second_ends_all(planned: Planned) -> None:
    """After one Ctrl-C what is in flight is journaled; after two nothing goes on, and nobody stays behind."""
    run = planned(4_000)
    with killed_at_end(run.start("copy", **PACED)) as coordinator:
        until(lambda: run.settled("copy") > 3, "slices are journaled")
        os.kill(coordinator.pid, signal.SIGINT)
        assert coordinator.wait(20) == PAUSED
    assert run.handed_out() == run.settled()
    assert run.state() == "paused"
    with killed_at_end(run.start("copy", workers=2, slice_items=1_000, items_per_second=100)) as coordinator:
        until(lambda: run.handed_out() > run.settled(), "slices are handed out")
        time.sleep(0.5)  # let the interrupts find it waiting
        os.kill(coordinator.pid, signal.SIGINT)
        time.sleep(0.3)
        os.kill(coordinator.pid, signal.SIGINT)
        assert coordinator.wait(5) not in {0, PAUSED}
    run.no_orphans()
    assert run.state() == "paused"
    run.finish("copy", workers=2)
    run.equal()


def test_a_full_disk_under_the_journal_ends_the_run_and_loses_nothing(planned: Planned) -> None:
    """Nothing that the journal can't hold counts as done; with room again, the run goes on."""
    assert exit_code_of(JournalUnwritable("full")) == ExitCode.PAUSED
    run = planned(6_000)
    size = run.migration.work.journal_file.stat().st_size
    with killed_at_end(run.start("copy", workers=2, slice_items=50, file_bytes=size + 200_000)) as coordinator:
        assert coordinator.wait(60) == UNWRITABLE, run.log.read_text()
    assert "make room" in run.log.read_text()
    run.no_orphans()
    done = run.settled("copy")
    assert 0 < done < run.handed_out()
    run.finish("copy", workers=2)
    run.equal()
