"""What a slice leaves behind in memory is gone soon, also in threads that are at work without a pause."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

from isthmus_migration.migration import Migration
from isthmus_migration.slices.collector import collector_paused
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, held, numbered, run, sqlite


class _Cycle:
    """Something that only the collector can remove."""

    def __init__(self) -> None:
        self.itself = self


def test_a_slice_that_ends_beside_another_leaves_no_garbage() -> None:
    """The collector is paused as long as any slice is at work, so this is the time for it."""
    with collector_paused():
        with collector_paused():
            left = weakref.ref(_Cycle())
            before = left() is None
        assert (before, left(), gc.isenabled()) == (False, None, False)
    assert gc.isenabled()


def noting(item: dict[str, Any]) -> dict[str, Any]:
    """The item, with a note whether the collector is at work."""
    return {**item, "collector": gc.isenabled()}


def test_the_collector_is_at_work_where_functions_are_called(tmp_path: Path) -> None:
    """A parser say leaves trees full of cycles behind: thousands of them in a slice would fill the memory."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    transforms = {"things": Transform(function=f"{__name__}:noting")}
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", transforms=transforms
    )
    assert run(migration).finished
    assert [item["collector"] for item in held(sqlite(tmp_path, "b")).values()] == [True] * 20
