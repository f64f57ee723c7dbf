"""Nothing is left to the garbage collector: whatever goes wrong, files are closed while the error is still held."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil
import pytest

from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import ExportDamaged, MigrationError, WorkDirectoryDamaged
from isthmus_migration.formats import reading
from isthmus_migration.journal.journal import Journal, JournalUnwritable
from isthmus_migration.journal.lock import WorkLock
from isthmus_migration.migration import Migration
from isthmus_migration.places.base import Part, Receipt
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.places.exports import open_export
from isthmus_migration.slices.worker import Worker
from isthmus_migration.threads import iterated
from isthmus_migration.transforms import Transform
from isthmus_migration.verification.candidates import Differences
from plugins.migration.tests.dead.helpers import THINGS, fill, numbered, sqlite

_DUMP = {"format": "mongodump", "compression": "gzip"}


def opened(folder: Path) -> list[str]:
    """The files in a folder that this process has open."""
    found = [Path(file.path) for file in psutil.Process().open_files()]
    return sorted(path.name for path in found if path.is_relative_to(folder))


def same(item: dict[str, Any]) -> dict[str, Any]:
    """The item."""
    return item


def _planned(folder: Path, target: str = "", **options: Any) -> Migration:
    fill(sqlite(folder, "a"), numbered(0, options.pop("items", 100)))
    target = target or sqlite(folder, "b")
    return Migration.plan(sqlite(folder, "a"), target, workdir=folder / "work", units=1, **options)


@pytest.mark.parametrize("damage", ["another version", "no database"])
def test_a_journal_that_is_refused_is_closed(tmp_path: Path, damage: str) -> None:
    """Nobody gets it to close it."""
    path = _planned(tmp_path).work.journal_file
    if damage == "no database":
        path.write_bytes(b"text" * 1_000)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
        connection.close()
    with pytest.raises(WorkDirectoryDamaged) as caught:
        Journal(path, writable=True)
    assert caught.value.__cause__ is not None or "version 99" in caught.value.message
    assert opened(tmp_path) == []


def test_a_file_of_differences_that_is_damaged_is_closed(tmp_path: Path) -> None:
    """As the journal is."""
    (tmp_path / "differences.db").write_bytes(b"text" * 1_000)
    with pytest.raises(JournalUnwritable) as caught:
        Differences(tmp_path)
    assert caught.value.__cause__ is not None
    assert opened(tmp_path) == []


def test_a_lock_that_somebody_gave_up_waiting_for_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C while another process has it."""
    monkeypatch.setattr("isthmus_migration.journal.lock.time.sleep", _interrupted)
    with WorkLock(tmp_path):
        with pytest.raises(KeyboardInterrupt) as caught:
            WorkLock(tmp_path).acquire()
        assert opened(tmp_path) == ["lock"]
    assert (caught.type, opened(tmp_path)) == (KeyboardInterrupt, [])


def _interrupted(*_arguments: object, **_options: object) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["digests.BucketDigest.unpack", "reports.paces.Course._take"])
def test_an_interrupt_while_a_file_is_read_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A database goes on being open as long as somebody has not read its rows to the end."""
    migration = _planned(tmp_path)
    assert migration.run(engine="inline", options=RunOptions(slice_items=20)).finished
    monkeypatch.setattr(f"isthmus_migration.{name}", _interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        migration.report()
    assert caught.value.__traceback__ is not None
    assert opened(tmp_path) == []


# ---- exports ----


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump of a database as mongodump leaves it, without checksums."""
    assert _planned(tmp_path, str(tmp_path / "dump"), **_DUMP).run(engine="inline").finished
    (tmp_path / "dump" / "manifest.json").unlink()
    return tmp_path / "dump"


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(data)


def _read(folder: Path, **options: Any) -> None:
    with open_export(folder, **options) as place:
        place.read(THINGS, place.units(THINGS, 1)[0], None, items=10, size=1 << 20)


def test_a_file_with_damage_is_closed(dump: Path) -> None:
    """It is found while the file is being read."""
    _damage(dump / "isthmus" / "things.bson.gz")
    with pytest.raises(ExportDamaged) as caught:
        _read(dump)
    assert caught.value.__traceback__ is not None
    assert opened(dump) == []


def test_a_file_that_is_cut_into_records_wrongly_is_closed(dump: Path) -> None:
    """Its first document has a length that none can have."""
    (dump / "isthmus" / "things.bson.gz").unlink()
    (dump / "isthmus" / "things.bson").write_bytes(bytes(100))
    with pytest.raises(ExportDamaged) as caught:
        _read(dump)
    assert caught.value.__traceback__ is not None
    assert opened(dump) == []


def test_an_interrupt_between_two_records_closes_the_file(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is nobody's at this moment."""
    monkeypatch.setattr(reading, "check_read_key", _interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        _read(dump)
    assert caught.value.__traceback__ is not None
    assert opened(dump) == []


def test_a_part_that_was_damaged_before_the_export_was_finished_is_closed(tmp_path: Path) -> None:
    """It is read again in runs, and the first one tells."""
    place = open_export(tmp_path / "export", compression="none", create=True)
    place.create(THINGS)
    place.put_many(THINGS, numbered(0, 2_001), Part("things-00000", 0))
    (path,) = (tmp_path / "export").rglob("*.jsonl")
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with pytest.raises(ExportDamaged) as caught:
        place.finish(THINGS, [Part("things-00000", 0)])
    assert caught.value.__traceback__ is not None
    assert opened(tmp_path) == []


# ---- places of workers ----


def test_a_source_that_fails_to_close_leaves_the_target_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is closed."""
    worker = Worker(_planned(tmp_path).setup)
    source, close = worker.source, worker.source.close
    monkeypatch.setattr(source, "close", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.close()
    assert not [name for name in opened(tmp_path) if name.startswith("b.db")]
    close()


def test_a_run_that_fails_closes_what_its_threads_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on with other work in this process has no databases of a migration open."""
    migration = _planned(tmp_path)
    monkeypatch.setattr(DatabasePlace, "put_many", _failing)
    with pytest.raises(MigrationError) as caught:
        migration.run(engine="threads")
    assert isinstance(caught.value.__cause__, ValueError)
    assert opened(tmp_path) == []


def _failing(*_arguments: object, **_options: object) -> Receipt:
    raise ValueError


def test_a_thread_that_nobody_waits_for_closes_what_it_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second Ctrl-C its slice ends some time, and then nobody else could do it."""
    migration, reached, released = _planned(tmp_path), threading.Event(), threading.Event()
    put_many = DatabasePlace.put_many

    def held(place: DatabasePlace, table: Table, items: list[Item], part: Part, **options: Any) -> Receipt:
        reached.set()
        assert released.wait(60)
        return put_many(place, table, items, part, **options)

    def listen(_code: str, _data: object) -> None:
        if reached.is_set():
            raise KeyboardInterrupt

    monkeypatch.setattr(DatabasePlace, "put_many", held)
    with pytest.raises(KeyboardInterrupt):
        migration.run(engine="threads", workers=1, options=RunOptions(listener=listen))
    before = opened(tmp_path)
    released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("isthmus-migration"):
            thread.join(60)
    assert (before != [], opened(tmp_path)) == (True, [])


# ---- processes, and generators ----


@contextmanager
def _interrupting() -> Iterator[None]:
    yield
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [("plans.apart", "heard", _interrupted), ("engines.spawning", "_interrupts_held_back", _interrupting)],
)
def test_an_interrupt_while_a_process_starts_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: Callable[..., Any]
) -> None:
    """Neither while it is waited for, nor when Ctrl-C was held back until it is there."""
    resource_tracker.ensure_running()
    monkeypatch.setattr(f"isthmus_migration.{module}.{name}", value)
    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt) as caught:
        _planned(tmp_path, transforms={"things": Transform(function=f"{__name__}:same")})
    assert caught.value.__traceback__ is not None
    assert set(multiprocessing.active_children()) <= before
    assert opened(tmp_path) == []


def test_an_async_iterator_that_is_left_early_closes_what_it_goes_over() -> None:
    """The journal, say, of which the generator holds a cursor."""
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(1_000)
        finally:
            closed.append(True)

    held = numbers()

    async def first() -> int:
        async for number in iterated(held):
            return number
        return -1

    assert (asyncio.run(first()), closed) == (0, [True])
