"""Whatever is killed, at whatever moment: nothing is lost, little is done again, and nobody stays behind."""

from __future__ import annotations

import os
import random
import signal
import time

import isthmus
from tests.migration.conftest import Planned
from tests.migration.runs import THINGS, Running, digest_of, fill, kill_one, killed_at_end, until, workers_of

MOMENTS = int(os.environ.get("MIGRATION_KILLS", "2"))
"""How often a coordinator is killed; ``make migration-kills`` does it 20 times."""
KILLS = MOMENTS + 1
WORKERS = 2
WINDOW = 2 * WORKERS
ITEMS = 2_000 * (MOMENTS + 2)
SLICE = 100


def test_workers_are_killed_one_after_the_other(planned: Planned) -> None:
    """Slices of killed workers are done again, and only those."""
    run = planned(ITEMS)
    with killed_at_end(run.start("copy", workers=WORKERS, slice_items=SLICE)) as coordinator:
        killed = 0
        while coordinator.poll() is None:
            if killed < KILLS and run.settled("copy") > 3 * killed:
                killed += kill_one(random.sample(workers, 1) if (workers := workers_of(run, coordinator.pid)) else [])
            time.sleep(random.uniform(0.2, 0.6))
        run.ended(coordinator)
    assert killed == KILLS
    run.equal()
    assert run.handed_out() - run.settled("copy") <= killed
    run.no_orphans()


def test_the_coordinator_is_killed_again_and_again_while_it_copies(planned: Planned) -> None:
    """A killed coordinator leaves no worker behind, and the next one goes on where it was."""
    run = planned(ITEMS)
    killed_often(run, "copy")
    run.equal()


def test_the_coordinator_is_killed_again_and_again_while_it_verifies(planned: Planned) -> None:
    """What was verified is not verified again, and the one item that differs is found."""
    run = planned(ITEMS)
    run.finish("copy", workers=WORKERS)
    with isthmus.connect(run.target) as database:
        database.table(THINGS).delete({"id": 500})
    killed_often(run, "verify")
    found = [(mismatch.key, mismatch.kind) for mismatch in run.migration.mismatches()]
    assert found == [({"id": 500}, "missing")]


def test_the_coordinator_is_killed_again_and_again_while_it_rolls_back(planned: Planned, mongodb_target: str) -> None:
    """The target holds again what it held before: overwritten items, and those that the migration did not touch."""
    fill(mongodb_target, ({"id": number, "name": "former"} for number in range(ITEMS // 2, ITEMS + 500)))
    before = digest_of(mongodb_target)
    run = planned(ITEMS, into_existing="upsert")
    killed_often(run, "copy", moments=1)
    assert digest_of(run.target).items == ITEMS + 500
    killed_often(run, "rollback")
    assert digest_of(run.target) == before
    assert run.state() == "rolled_back"


def killed_often(run: Running, action: str, moments: int = MOMENTS) -> None:
    """Kill the coordinator in the middle, that many times, and let the last one finish."""
    handed_out, settled = run.handed_out(), run.settled()
    for _ in range(moments):
        before = run.settled(action)
        paced = run.start(action, workers=WORKERS, slice_items=SLICE, items_per_second=3_000)
        with killed_at_end(paced) as coordinator:
            until(lambda: run.settled(action) > before or coordinator.poll() is not None, "a slice is journaled")  # noqa: B023  # called in the same round
            time.sleep(random.uniform(0, 0.15))
            assert coordinator.poll() is None, f"it ended before it could be killed: {run.log.read_text()}"
            os.kill(coordinator.pid, signal.SIGKILL)
        run.no_orphans()
    run.finish(action, workers=WORKERS, slice_items=SLICE)
    assert run.handed_out() - handed_out - (run.settled() - settled) <= moments * WINDOW
