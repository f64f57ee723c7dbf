"""Whatever is killed, at whatever moment: nothing is lost, little is done again, and nobody stays behind."""

from __future__ import annotations

import os
import random
import time

import isthmus
from tests.migration.conftest import Planned
from tests.migration.runs import HELD, THINGS, Running, digest_of, fill, killed_at_end

MOMENTS = int(os.environ.get("MIGRATION_KILLS", "2"))
"""How often a coordinator is killed; ``make migration-kills`` does it 20 times."""
DEATHS = MOMENTS + 1
WINDOW = 4
"""How many slices two workers have in hand, or next."""
ITEMS = 1_000 * (MOMENTS + 2)


def test_workers_are_killed_one_after_the_other(planned: Planned) -> None:
    """Slices of killed workers are done again, and only those."""
    run, killed = planned(ITEMS), 0
    with killed_at_end(run.start("copy", **HELD)) as coordinator:
        while run.told("worker_died") < DEATHS:
            run.at_work(coordinator)
            run.kill_a_worker()  # between two slices it dies unnoticed
            killed += 1
        run.released()
        run.ended(coordinator)
    run.equal()
    assert DEATHS <= run.told("worker_died") == run.redone() <= killed
    run.no_orphans()


def test_the_coordinator_is_killed_again_and_again_while_it_copies(planned: Planned) -> None:
    """A killed coordinator leaves no worker behind, and the next one goes on where it was."""
    run = planned(ITEMS)
    killed_often(run, "copy")
    run.equal()


def test_the_coordinator_is_killed_again_and_again_while_it_verifies(planned: Planned) -> None:
    """What was verified is not verified again, and the one item that differs is found."""
    run = planned(ITEMS)
    run.finish("copy")
    with isthmus.connect(run.target) as database:
        database.table(THINGS).delete({"id": 500})
    killed_often(run, "verify")
    found = [(mismatch.key, mismatch.kind) for mismatch in run.migration.mismatches()]
    assert found == [({"id": 500}, "missing")]


def test_the_coordinator_is_killed_again_and_again_while_it_rolls_back(planned: Planned, mongodb_target: str) -> None:
    """The target holds again what it held before: overwritten items, and those that the migration did not touch."""
    # Few, as a run that is held is slow in looking at them before it copies.
    fill(mongodb_target, ({"id": number, "name": "former"} for number in range(ITEMS - 100, ITEMS + 50)))
    before = digest_of(mongodb_target)
    run = planned(ITEMS, into_existing="upsert")
    killed_often(run, "copy", moments=1)
    assert digest_of(run.target).items == ITEMS + 50
    killed_often(run, "rollback")
    assert digest_of(run.target) == before
    assert run.state() == "rolled_back"


def killed_often(run: Running, action: str, moments: int = MOMENTS) -> None:
    """Kill the coordinator in the middle, that many times, and let the last one finish."""
    redone = run.redone()
    for _ in range(moments):
        with killed_at_end(run.start(action, **HELD)) as coordinator:
            run.at_work(coordinator, action)
            time.sleep(random.uniform(0, 0.15))
            assert coordinator.poll() is None, f"it ended before it could be killed: {run.log.read_text()}"
            coordinator.kill()
        run.no_orphans()
    run.finish(action)
    assert run.redone() - redone <= moments * WINDOW
