"""Threads whose run was ended at once: they can't be ended themselves, so they must not write any more."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import RetryPolicy
from isthmus.errors import Throttled
from isthmus.memory import MemoryBackend
from isthmus.operations import Operation, PutMany
from isthmus.results import Result
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import THINGS, numbered


class _Slow(MemoryBackend):
    """Holds the first write until it may go on, and turns it away then."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.released = threading.Event(), threading.Event()

    def execute(self, operation: Operation) -> Result:
        if isinstance(operation, PutMany) and not self.released.is_set():
            self.reached.set()
            self.released.wait(60)
            raise Throttled("later")
        return super().execute(operation)


def test_a_slice_of_a_run_that_was_ended_at_once_writes_nothing_later(tmp_path: Path) -> None:
    """A second Ctrl-C returns at once, and whoever goes on with the migration is alone with the target."""
    backend = _Slow()

    def interrupted(_code: str, _data: dict[str, Any]) -> None:
        if backend.reached.is_set():
            raise KeyboardInterrupt

    with (
        isthmus.connect("memory://") as source,
        isthmus.connect(backend, retry_policy=RetryPolicy(attempts=1)) as target,
    ):
        source.table(THINGS).ensure().put_many(numbered(0, 50)).raise_for_failures()
        migration = Migration.plan(source, target, workdir=tmp_path / "work", units=1)
        with pytest.raises(KeyboardInterrupt):
            migration.run(engine="threads", workers=1, options=RunOptions(listener=interrupted))
        backend.released.set()
        for thread in threading.enumerate():
            if thread.name.startswith("isthmus-migration"):
                thread.join(60)
        late = target.table(THINGS).scan().count()
        assert migration.run(engine="inline").finished
        assert (late, target.table(THINGS).scan().count()) == (0, 50)
