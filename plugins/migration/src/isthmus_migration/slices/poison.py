"""Giving up the one item that kills whoever works on it: it is read, and nothing else is done with it."""

from __future__ import annotations

from attrs import evolve

from isthmus.values import dumps
from isthmus_migration.digests import BucketDigest
from isthmus_migration.places.base import Part
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, DeadLetter, SliceResult, SliceTask

_REASON = "workers that handled this item died again and again: look at it and at the transform"


def give_up_item(worker: Worker, task: SliceTask) -> SliceResult:
    """Make a dead letter of the next item of a unit."""
    table = worker.table(task.unit.table).plan.source
    read = worker.source.read(table, task.unit.spec, task.cursor, items=1, size=task.budget.size)
    dead = tuple(
        DeadLetter(table.name, dumps(table.key_of(item)), "transform", "worker_died", _REASON, dumps(item).encode())
        for item in read.items
    )
    dead += tuple(
        DeadLetter(
            table.name, dumps(fault.key) if fault.key is not None else fault.name or "unknown key", "decode",
            fault.error.code, fault.error.message, fault.original or b"", fault.form or worker.source.form,
        )
        for fault in read.unreadable
    )  # fmt: skip
    if worker.target.keeps_parts:
        # A worker that died may have written its part, of this item and of others that come next.
        target = worker.table(task.unit.table).plan.target
        worker.target.put_many(target, [], Part(task.unit.id, task.sequence))
    digest = BucketDigest.of(read.items, table.key_names).pack()
    counts = Counts(read=len(dead), dead=len(dead))
    return SliceResult(evolve(task, phase="copy"), read.cursor, counts, {"source": digest}, dead)
