"""Whatever is killed, at whatever moment: nothing is lost, little is done again, and nobody stays behind."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.migration.conftest import Planned
from tests.migration.runs import kill_one, killed_at_end, until, workers_of

MOMENTS = int(os.environ.get("ISTHMUS_KILL_MOMENTS", "3"))
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


@pytest.mark.parametrize("action", ["copy"])
def test_the_coordinator_is_killed_again_and_again(planned: Planned, action: str) -> None:
    """A killed coordinator leaves no worker behind, and the next one goes on where it was."""
    run = planned(ITEMS)
    for _ in range(MOMENTS):
        before = run.settled(action)
        with killed_at_end(run.start(action, workers=WORKERS, slice_items=SLICE)) as coordinator:
            until(lambda: run.settled(action) > before or coordinator.poll() is not None, "a slice is journaled")  # noqa: B023  # called in the same round
            time.sleep(random.uniform(0, 0.15))
            assert coordinator.poll() is None, "it was done before it could be killed"
            os.kill(coordinator.pid, signal.SIGKILL)
        run.no_orphans()
    run.finish(action, workers=WORKERS, slice_items=SLICE)
    run.equal()
    assert run.handed_out() - run.settled(action) <= MOMENTS * WINDOW
