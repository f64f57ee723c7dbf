"""Items of the source that have one key in the target: the first one stays, the others become dead letters."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import isthmus
from isthmus.values import Item
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.journal import Journal
from isthmus_migration.migration import Migration
from isthmus_migration.places.base import Part
from isthmus_migration.places.exports import open_export
from isthmus_migration.tasks import Counts, SliceResult, SliceTask
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import THINGS, digest, expected, fill, held, letters, numbered, run, sqlite
from plugins.mongodb.tests.servers import fresh_name, in_database

FOLDED = Transform(compute={"id": {"template": "{group}", "replace": True}})


def _folded(folder: Path, groups: int) -> Migration:
    fill(sqlite(folder, "a"), ({"id": f"k{n:03d}", "group": f"g{n % groups:03d}"} for n in range(400)))
    return Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=4, transforms={"things": FOLDED}
    )


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_one_item_of_each_key_stays(tmp_path: Path, engine: str) -> None:
    """Within a slice, across slices and across units that race: the target holds what the journal expects of it."""
    migration = _folded(tmp_path, 30)
    assert run(migration, engine=engine).finished
    assert len(held(sqlite(tmp_path, "b"))) == 30
    assert {(phase, code) for _key, phase, code in letters(migration)} == {("transform", "key_collision")}
    assert len(letters(migration)) == 370
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def test_a_key_whose_item_went_before_it_was_read_again_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source deletes an item between the claim and the write: another one with its key is not turned away."""
    fill(sqlite(tmp_path, "a"), [{"id": "k0", "group": "same"}, {"id": "k1", "group": "same"}])
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", units=2, transforms={"things": FOLDED}
    )
    claim, left = Journal.claim, ["k0"]

    def claimed(journal: Journal, unit: str, wanted: bytes) -> frozenset[bytes]:
        refused = claim(journal, unit, wanted)
        if left:
            with isthmus.connect(sqlite(tmp_path, "a")) as source:
                source.table(THINGS).delete(id=left.pop())
        return refused

    monkeypatch.setattr(Journal, "claim", claimed)
    assert run(migration).finished
    assert (letters(migration), [item["group"] for item in held(sqlite(tmp_path, "b")).values()]) == ([], ["same"])
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def export_with_a_key_thrice(folder: Path, *, same: bool = False) -> Path:
    """An export with three items of one key, which are the same in everything or not at all."""
    with open_export(folder, create=True) as export:
        export.create(THINGS)
        again: list[Item] = [{"id": "k00007", "n": number} for number in ((7, 7) if same else (-1, -2))]
        parts: list[list[Item]] = [[*numbered(0, 60), again[0]], [*numbered(60, 120), again[1]]]
        for sequence, items in enumerate(parts):
            export.put_many(THINGS, items, Part("things-00000", sequence))
        export.finish(THINGS, [Part("things-00000", sequence) for sequence in range(len(parts))])
    return folder


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_anexport_with_a_key_thrice(tmp_path: Path, engine: str) -> None:
    """Files can hold anything: one of the items with one key is imported, each other one is kept as a dead letter."""
    source, target = export_with_a_key_thrice(tmp_path / "export"), sqlite(tmp_path, "b")
    migration = Migration.plan(str(source), target, workdir=tmp_path / "work", units=2)
    assert run(migration, engine=engine).finished
    assert letters(migration) == [('{"id":"k00007"}', "transform", "key_collision")] * 2
    dead = [migration.dead.show(letter.id)[1].item for letter in migration.dead.list()]
    stayed = held(target)["k00007"]
    assert {item["n"] for item in (*dead, stayed) if item} == {-2, -1, 7}
    assert len(held(target)) == 120
    assert digest(target) == expected(migration)


def test_a_key_whose_item_was_refused_is_free_again(tmp_path: Path, mongodb_url: str) -> None:
    """An item that could not be written doesn't keep another one out."""
    target = in_database(mongodb_url, database=fresh_name())
    long = Decimal("1." + "2" * 37)
    fill(sqlite(tmp_path, "a"), [{"id": "k1", "to": "x", "n": long}, {"id": "k2", "to": "x", "n": 2}])
    moved = Transform(compute={"id": {"template": "{to}", "replace": True}})
    migration = Migration.plan(
        sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", units=1, transforms={"things": moved}
    )
    options = RunOptions(slice_items=1)
    assert migration.run(engine="inline", options=options).finished
    with isthmus.connect(target) as database:
        found = database.table(THINGS).get(id="x")
        database.native().drop_database(database.native().get_default_database().name)
    assert found["n"] == 2
    assert [(phase, code) for _key, phase, code in letters(migration)] == [("encode", "invalid_value")]


def test_claims_of_a_slice_that_died_are_given_back(tmp_path: Path) -> None:
    """Its unit's next item is given up by itself; the other keys may be claimed anew."""
    migration = _folded(tmp_path, 30)
    with migration.work.journal(writable=True) as journal:
        first, second = (state.unit for state in journal.units("copy")[:2])
        claims = bytes(range(32))
        number, _unsettled = journal.hand_out("copy", first.id, 2)
        assert journal.claim(first.id, claims) == frozenset()
        assert journal.claim(second.id, claims) == {claims[:16], claims[16:]}
        journal.settle(SliceResult(SliceTask("copy", first, number, 0, None), "next", Counts(read=1, dead=1)))
        assert journal.claim(second.id, claims) == frozenset()


def test_claims_that_a_longer_run_may_have_written_stay(tmp_path: Path) -> None:
    """A slice that is redone with fewer items reaches only some of the keys: the others are not given back yet."""
    migration = _folded(tmp_path, 30)
    with migration.work.journal(writable=True) as journal:
        first, second = (state.unit for state in journal.units("copy")[:2])
        claims = bytes(range(32))
        journal.hand_out("copy", first.id, 2)
        assert journal.claim(first.id, claims) == frozenset()
        number, unsettled = journal.hand_out("copy", first.id, 1)
        assert len(unsettled) == 1
        assert journal.claim(first.id, claims[:16]) == frozenset()
        task = SliceTask("copy", first, number, 0, None, granted=b"yes")
        journal.settle(SliceResult(task, "next", Counts(read=1, written=1)))
        assert journal.claim(second.id, claims) == {claims[:16], claims[16:]}
        number, _unsettled = journal.hand_out("copy", first.id, 2)
        assert journal.claim(first.id, claims) == {claims[:16]}
        task = SliceTask("copy", first, number, 1, "next", granted=b"yes")
        journal.settle(SliceResult(task, "last", Counts(read=2), claims=claims[16:]))
        assert journal.claim(second.id, claims) == {claims[:16]}
