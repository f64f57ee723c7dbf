"""An item that kills its worker becomes a dead letter, and nobody else is blamed."""

from __future__ import annotations

from isthmus.values import loads
from isthmus_migration.transforms import Transform
from tests.migration.conftest import Planned
from tests.migration.poison import DEADLY
from tests.migration.runs import HELD, THINGS, Running, digest_of, killed_at_end, things, until

ITEMS = 1_000
DEADLY_TRANSFORM = {THINGS.name: Transform(function="tests.migration.poison:deadly")}


def test_the_item_that_kills_is_found_while_others_kill_too(planned: Planned) -> None:
    """Workers die of one item and by another's hand: only the item is given up."""
    run = planned(2 * ITEMS, transforms=DEADLY_TRANSFORM)
    with killed_at_end(run.start("copy", **{**HELD, "slice_items": 40})) as coordinator:
        # Two are too few to blame an item for, whichever they meet.
        run.at_work(coordinator, slices=1)
        run.kill_a_worker()
        until(lambda: run.told("worker_died") > 1, "workers die")
        run.kill_a_worker()
        run.released()
        run.ended(coordinator)
    only_the_deadly_one_is_missing(run, 2 * ITEMS)
    run.no_orphans()


def test_the_item_that_kills_is_found_on_dask(planned: Planned) -> None:
    """Dask tells only which slices its dead workers had; it comes to the same."""
    run = planned(ITEMS, transforms=DEADLY_TRANSFORM)
    run.finish("copy", engine="dask", workers=2, slice_items=8)
    only_the_deadly_one_is_missing(run)


def only_the_deadly_one_is_missing(run: Running, items: int = ITEMS) -> None:
    """All others were copied, and the journal has the item itself."""
    letters = run.ask("SELECT item_key, phase, code, original FROM dead")
    ((key, phase, code, original),) = letters
    assert (loads(key), phase, code) == ({"id": DEADLY}, "transform", "worker_died")
    assert loads(original.decode()) == list(things(DEADLY + 1))[-1]
    there = digest_of(run.target)
    assert there.items == items - 1
    with run.migration.work.journal(writable=False) as journal:
        assert journal.digest("copy", THINGS.name, "expected") == there
        assert journal.counts("copy").read == items
