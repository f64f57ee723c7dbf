"""Rollbacks while others write, while the target is away, and while they are told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import BoundTable, Capability
from isthmus.capabilities import Unsupported
from isthmus.errors import (
    Conflict,
    InvalidArgument,
    IsthmusError,
    ItemChanged,
    Throttled,
    Unavailable,
    UnsupportedOperation,
)
from isthmus.memory import MemoryBackend
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item
from isthmus_migration.coordination import waiting
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.places import databases, swapping
from isthmus_migration.places.base import Change, Receipt, Refusal, Seen
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.rollback import strangers
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, own_tables, run, sqlite
from plugins.migration.tests.rollback.test_restoring import into_existing
from plugins.mongodb.tests.servers import fresh_name, in_database

THEIRS: Item = {"id": "k00160", "of": "somebody"}
NEW: Item = {"id": "k00007", "of": "somebody"}


@pytest.fixture(params=["sqlite", "mongodb", "standalone", "dynamodb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database on each backend."""
    if request.param == "sqlite":
        yield sqlite(tmp_path, "b")
        return
    if request.param == "dynamodb":
        url = own_tables(request.getfixturevalue("dynamodb_url"))
    else:
        server = "mongodb_url" if request.param == "mongodb" else "mongodb_standalone_url"
        url = in_database(request.getfixturevalue(server), database=f"races-{fresh_name()}")
    yield url
    with isthmus.connect(url) as database:
        for name in database.tables.list():
            database.tables.drop(name)


def _after_each_look(patch: pytest.MonkeyPatch, act: Callable[[set[object]], object]) -> None:
    """Do something between a look at some keys and the writes that depend on it."""
    look = DatabasePlace.look

    def then(self: DatabasePlace, table: Table, keys: Sequence[Item]) -> list[Seen]:
        found = look(self, table, keys)
        act({key["id"] for key in keys})
        return found

    patch.setattr(DatabasePlace, "look", then)


def _refusing(patch: pytest.MonkeyPatch, *keys: str) -> None:
    """Let the target refuse some items once, as if a unique value of theirs were taken."""
    swap, left = DatabasePlace.swap, set(keys)

    def once(self: DatabasePlace, table: Table, changes: Sequence[Change]) -> Receipt:
        refused = [place for place, change in enumerate(changes) if change.key["id"] in left]
        left.difference_update(str(changes[place].key["id"]) for place in refused)
        done = swap(self, table, [change for place, change in enumerate(changes) if place not in refused])
        assert not (refused and done.refusals)
        return done if not refused else Receipt(tuple(Refusal(place, InvalidArgument("taken")) for place in refused))

    patch.setattr(DatabasePlace, "swap", once)


def test_what_others_write_in_the_last_moment_is_a_conflict(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overwritten item, a new one and one that is removed: all that others did is left, all else is put back."""
    fill(sqlite(tmp_path, "a"), numbered(0, 200, of="source"))
    fill(target, numbered(150, 300, of="target"))
    before = held(target)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", units=3, into_existing="upsert"
    )
    assert run(migration).finished

    with isthmus.connect(target) as database:
        table = database.table("things", partition_key="id")

        def write(looked_at: set[object]) -> None:
            table.put_many([one for one in (THEIRS, NEW) if one["id"] in looked_at]).raise_for_failures()
            if "k00161" in looked_at:
                table.delete(id="k00161")

        _after_each_look(monkeypatch, write)
        result = migration.rollback(engine="inline", guarded=True)
    assert [(one.key, one.reason) for one in migration.conflicts()] == [
        (f'{{"id":"{key}"}}', "changed") for key in ("k00007", "k00160", "k00161")
    ]
    assert result.tables[0].equal
    del before["k00161"]
    assert held(target) == {**before, "k00160": THEIRS, "k00007": NEW}


def test_what_was_refused_is_not_put_over_what_others_wrote_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt depends on what was seen, as the first one does."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    _refusing(monkeypatch, "k00160", "k00170")
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        table = database.table("things", partition_key="id")
        refused = 0

        def write(_looked_at: set[object]) -> None:
            nonlocal refused
            with migration.work.journal(writable=False) as journal:
                refused = max(refused, len(journal.rows("SELECT 1 FROM conflict")))
            if refused == 2:
                table.put(THEIRS)

        _after_each_look(monkeypatch, write)
        result = migration.rollback(engine="inline")
    assert refused == 2
    assert [(one.key, one.reason) for one in migration.conflicts()] == [('{"id":"k00160"}', "changed")]
    assert (result.tables[0].equal, result.tables[0].restored) == (True, 199)
    assert held(sqlite(tmp_path, "b"))["k00160"] == THEIRS


def test_what_was_put_back_although_the_answer_was_lost_is_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt was sent again after its answer was lost, and found another item than the one it had seen."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    _refusing(monkeypatch, "k00160")
    swap, lost = swapping.swap, list[object]()

    def sent_again(bound: BoundTable, change: Change) -> None:
        swap(bound, change)
        if change.key["id"] == "k00160":
            lost.append(change.key)
            raise ItemChanged("the item is another one by now")

    monkeypatch.setattr(databases, "swap", sent_again)
    result = migration.rollback(engine="inline")
    assert len(lost) == 1
    assert (result.clean, result.tables[0].restored, list(migration.conflicts())) == (True, 200, [])
    assert digest(sqlite(tmp_path, "b")) == before


class _Away:
    """A target that is away for some swaps of what was refused before."""

    def __init__(self, patch: pytest.MonkeyPatch, times: int, then: Callable[[], object] = lambda: None) -> None:
        self.left, swap = times, DatabasePlace.swap

        def away(place: DatabasePlace, table: Table, changes: Sequence[Change]) -> Receipt:
            if len(changes) == 1 and changes[0].key["id"] == "k00160" and self.left:
                self.left -= 1
                then()
                raise Unavailable("away")
            return swap(place, table, changes)

        patch.setattr(DatabasePlace, "swap", away)


def test_what_was_refused_waits_for_a_target_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put back when the target is there again."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    _refusing(monkeypatch, "k00160")
    away = _Away(monkeypatch, 2)
    result = migration.rollback(engine="inline")
    assert (result.clean, away.left) == (True, 0)
    assert digest(sqlite(tmp_path, "b")) == before
    codes = [event["code"] for event in _events(migration)]
    assert codes.index("waiting") < codes.index("working_again")


def _events(migration: Migration) -> list[dict[str, Any]]:
    with migration.work.journal(writable=False) as journal:
        return journal.events()


@pytest.mark.parametrize("patience", [0.0, 60.0])
def test_what_was_refused_ends_as_slices_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    """With its patience, or when it is told to stop; calling it again goes on."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    _refusing(monkeypatch, "k00160")
    control = ControlFile(tmp_path / "work")
    away = _Away(monkeypatch, 2, (lambda: None) if patience == 0 else lambda: control.say("stop"))
    result = migration.rollback(engine="inline", options=RunOptions(patience=patience))
    assert (result.finished, migration.status().state) == (False, State.ROLLING_BACK)
    assert result.reason == ("away" if patience == 0 else "it was told to stop")
    away.left = 0
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_what_was_refused_rests_while_it_is_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on when it is told to."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    _refusing(monkeypatch, "k00160")
    control, heard = ControlFile(tmp_path / "work"), list[str]()
    _Away(monkeypatch, 1, lambda: control.say("pause"))

    def listen(code: str, _data: dict[str, Any]) -> None:
        heard.append(code)
        if code == "paused":
            control.say("run")

    assert migration.rollback(engine="inline", options=RunOptions(listener=listen)).clean
    assert heard.index("waiting") < heard.index("paused") < heard.index("going_on") < heard.index("working_again")


def test_a_rollback_that_was_begun_without_is_guarded_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its units are there already when the guard is asked for."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    slices = RunOptions(slice_items=20)
    with monkeypatch.context() as patched:
        patched.setattr(DatabasePlace, "swap", _stopping(tmp_path))
        assert not migration.rollback(engine="inline", options=slices).finished
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        table = database.table("things", partition_key="id")
        _after_each_look(monkeypatch, lambda keys: table.put(THEIRS) if "k00160" in keys else None)
        migration.rollback(engine="inline", guarded=True, options=slices)
    assert [one.key for one in migration.conflicts()] == ['{"id":"k00160"}']
    assert held(sqlite(tmp_path, "b"))["k00160"] == THEIRS


def _stopping(folder: Path) -> Callable[[DatabasePlace, Table, Sequence[Change]], Receipt]:
    swap, control = DatabasePlace.swap, ControlFile(folder / "work")

    def stopping(place: DatabasePlace, table: Table, changes: Sequence[Change]) -> Receipt:
        control.say("stop")
        return swap(place, table, changes)

    return stopping


@pytest.mark.parametrize("told", ["", "stop"])
def test_items_of_others_are_looked_for_as_slices_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """In a table that would be dropped: the look waits for a target that is away, and it can be stopped."""
    fill(sqlite(tmp_path, "a"), numbered(0, 60))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    monkeypatch.setattr(strangers, "_ITEMS", 1_999)
    read, times, control = DatabasePlace.read, [1], ControlFile(tmp_path / "work")

    def away(place: DatabasePlace, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        if times and items == 1_999 and place.name.endswith("b.db"):
            times.pop()
            if told:
                control.say("stop")
            raise Unavailable("away")
        return read(place, table, unit, cursor, items=items, size=size)

    monkeypatch.setattr(DatabasePlace, "read", away)
    result = migration.rollback(engine="inline")
    assert not times
    assert (result.finished, result.reason) == (not told, "it was told to stop" if told else "")
    result = migration.rollback(engine="inline") if told else result
    assert [table.action for table in result] == ["kept"]
    assert [one.key for one in migration.conflicts()] == ['{"id":"new"}']


def test_a_search_for_items_of_others_ends_although_each_second_read_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the read that failed, of the source and of the target: nothing is read twice."""
    fill(sqlite(tmp_path, "a"), numbered(0, 40))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", units=1)
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    monkeypatch.setattr(strangers, "_ITEMS", 11)
    monkeypatch.setattr(waiting, "_FIRST", 0.0)
    places, read, control = list[str](), DatabasePlace.read, ControlFile(tmp_path / "work")

    def flaky(place: DatabasePlace, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        if items == 11:
            places.append(place.name[-4:])
            if len(places) > 30:
                control.say("stop")
            if len(places) % 2:
                raise Unavailable("away now and then")
        return read(place, table, unit, cursor, items=items, size=size)

    monkeypatch.setattr(DatabasePlace, "read", flaky)
    assert migration.rollback(engine="inline").finished
    assert places == ["a.db"] * 8 + ["b.db"] * 8
    assert [one.key for one in migration.conflicts()] == ['{"id":"new"}']


@pytest.mark.parametrize("kind", [Throttled, Conflict])
def test_a_swap_that_is_turned_away_for_a_moment_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, kind: type[IsthmusError]
) -> None:
    """Within the slice, as batches are."""
    waits, errors, swap = list[float](), [kind("busy")], swapping.swap

    def busy(bound: BoundTable, change: Change) -> None:
        if errors:
            raise errors.pop()
        swap(bound, change)

    monkeypatch.setattr(databases, "swap", busy)
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id").ensure()
        place = DatabasePlace(database, borrowed=True, sleep=waits.append)
        (seen,) = place.look(table.schema, [{"id": "x"}])
        receipt = place.swap(table.schema, [Change({"id": "x"}, {"id": "x", "n": 1}, seen)])
        assert table.get(id="x") == {"id": "x", "n": 1}
    assert (receipt.refusals, receipt.throttled, len(waits)) == ((), int(kind is Throttled), 1)


def test_a_target_without_revisions_can_t_be_guarded(tmp_path: Path) -> None:
    """It is refused before anything is put back; without a guard it is done."""
    backend = MemoryBackend()
    backend.capabilities = backend.capabilities.replace({Capability.REVISION: Unsupported("this store has none")})
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    with isthmus.connect(backend) as target:
        table = target.table("things", partition_key="id").ensure()
        table.put({"id": "k00007", "of": "target"})
        migration = Migration.plan(sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", into_existing="upsert")
        assert migration.run(engine="inline").finished
        with pytest.raises(UnsupportedOperation, match="can't be guarded: roll back without"):
            migration.rollback(engine="inline", guarded=True)
        assert table.scan().count() == 20
        assert migration.rollback(engine="inline").clean
        assert list(table.scan()) == [{"id": "k00007", "of": "target"}]
