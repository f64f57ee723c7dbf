"""What is left where something ends before there is a work directory."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import isthmus
from isthmus.errors import InvalidArgument
from isthmus_migration import Migration
from isthmus_migration.journal import workdir
from isthmus_migration.threads import in_thread


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_cancelling_before_there_is_a_work_directory_leaves_nothing_in_its_place(tmp_path: Path, folder: str) -> None:
    """The error is the one of asyncio, and the folder can be used for the next attempt."""
    work = tmp_path / "work"
    if folder == "empty":
        work.mkdir()
    begun, let_go = threading.Event(), threading.Event()

    def opens_slowly(*_arguments: object) -> None:
        begun.set()
        let_go.wait(60)
        raise InvalidArgument("too late")

    async def steps() -> None:
        running = asyncio.create_task(in_thread(opens_slowly, work))
        await asyncio.to_thread(begun.wait, 60)
        running.cancel()
        await asyncio.wait([running], timeout=0)  # it gets to wait for the thread
        await asyncio.sleep(0)
        assert not (work / "control.json").exists()
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(steps())
    assert not work.exists() or not list(work.iterdir())


def test_an_interrupt_while_the_work_directory_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command works afterwards."""

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with isthmus.connect("memory://") as source, isthmus.connect("memory://") as target:
        source.table("things", partition_key="id").ensure().put({"id": "a"})
        with monkeypatch.context() as patched:
            patched.setattr(workdir, "write_whole", interrupted)
            with pytest.raises(KeyboardInterrupt):
                Migration.plan(source, target, workdir=tmp_path / "work")
        assert Migration.plan(source, target, workdir=tmp_path / "work").status().state == "planned"
