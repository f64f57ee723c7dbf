"""An item that kills its worker becomes a dead letter, and nobody else is blamed."""

from __future__ import annotations

import random
import time

from isthmus.values import loads
from isthmus_migration.transforms import Transform
from tests.migration.conftest import Planned
from tests.migration.poison import DEADLY
from tests.migration.runs import THINGS, Running, digest_of, kill_one, killed_at_end, things, workers_of

ITEMS = 2_000
DEADLY_TRANSFORM = {THINGS.name: Transform(function="tests.migration.poison:deadly")}


def test_the_item_that_kills_is_found_while_others_kill_too(planned: Planned) -> None:
    """Workers die of one item and by another's hand: only the item is given up."""
    run = planned(ITEMS, transforms=DEADLY_TRANSFORM)
    with killed_at_end(run.start("copy", workers=2, slice_items=40)) as coordinator:
        killed = 0
        while coordinator.poll() is None:
            time.sleep(random.uniform(1.2, 2.0))
            killed += kill_one(random.sample(workers, 1) if (workers := workers_of(run, coordinator.pid)) else [])
        run.ended(coordinator)
    assert killed >= 2
    only_the_deadly_one_is_missing(run)
    run.no_orphans()


def test_the_item_that_kills_is_found_on_dask(planned: Planned) -> None:
    """Dask tells only which slices its dead workers had; it comes to the same."""
    run = planned(ITEMS, transforms=DEADLY_TRANSFORM)
    run.finish("copy", engine="dask", workers=2, slice_items=30)
    only_the_deadly_one_is_missing(run)


def only_the_deadly_one_is_missing(run: Running) -> None:
    """All others were copied, and the journal has the item itself."""
    letters = run.ask("SELECT item_key, phase, code, original FROM dead")
    ((key, phase, code, original),) = letters
    assert (loads(key), phase, code) == ({"id": DEADLY}, "transform", "worker_died")
    assert loads(original.decode()) == list(things(DEADLY + 1))[-1]
    there = digest_of(run.target)
    assert there.items == ITEMS - 1
    with run.migration.work.journal(writable=False) as journal:
        assert journal.digest("copy", THINGS.name, "expected") == there
        assert journal.counts("copy").read == ITEMS
