"""Exports are written part by part, by workers that may be killed and run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus import Table
from isthmus.errors import AlreadyExists, InvalidArgument, TableNotFound, Unavailable, UnsupportedOperation
from isthmus.values import Item, Value
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged, ExportUnsupported, WrongState
from isthmus_migration.formats.contents import layout_named
from isthmus_migration.formats.files import replacing
from isthmus_migration.formats.layouts import Layout
from isthmus_migration.formats.unfinished import Unfinished
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import (
    CITIES,
    LOSSLESS,
    accepted,
    begin,
    cities,
    city,
    items_of,
    names_of,
    part,
    read,
    write,
)

_USERS = Table("users", "id")


@pytest.fixture(params=LOSSLESS)
def form(request: pytest.FixtureRequest) -> str:
    """Each lossless format."""
    return str(request.param)


def test_a_part_that_is_written_again_replaces_the_former_one(form: str, tmp_path: Path) -> None:
    """A slice that runs twice leaves what its last run wrote, were that nothing."""
    place = begin(tmp_path / "export", form)
    for items in ([city(1), city(2)], [city(1)]):
        accepted(place.put_many(CITIES, items, part(0)))
    for again in ([city(3)], []):
        accepted(place.put_many(CITIES, again, part(1)))
    place.finish(CITIES, [part(0), part(1)])
    assert items_of(tmp_path / "export") == [city(1)]


def test_parts_that_nobody_journaled_are_left_out(form: str, tmp_path: Path) -> None:
    """What a killed run wrote beyond the journaled slices is no part of the export, and its files are gone."""
    place = begin(tmp_path / "export", form)
    for number in range(3):
        accepted(place.put_many(CITIES, [city(number)], part(number)))
    place.finish(CITIES, [part(0), part(1)])
    assert items_of(tmp_path / "export") == cities(2)


def test_a_part_whose_writer_was_killed_before_its_note_is_read(form: str, tmp_path: Path) -> None:
    """Number, checksum and digest of a part are taken from its file where the note is missing or an older one's."""
    place = begin(tmp_path / "export", form)
    accepted(place.put_many(CITIES, [city(0)], part(0)))
    accepted(place.put_many(CITIES, cities(3), part(1)))
    notes = Unfinished(tmp_path / "export").parts("cities")
    older = (notes / "cities-00000-000000.json").read_bytes()
    (notes / "cities-00000-000001.json").write_bytes(older)
    (notes / "cities-00000-000000.json").unlink()
    place.finish(CITIES, [part(0), part(1)])
    with open_export(tmp_path / "export") as found:
        assert found.facts(CITIES).items == 4
        assert found.digest(CITIES) == BucketDigest.of([city(0), *cities(3)], CITIES.key_names)


@pytest.mark.parametrize("name", ["cities.table.json", "parts/cities/cities-00000-000000.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 100_000, b"\xff"])
def test_damaged_notes_are_refused(name: str, damage: bytes, tmp_path: Path) -> None:
    """What is known of an export that is being written is used only as it was written."""
    place = begin(tmp_path / "export", "jsonl")
    accepted(place.put_many(CITIES, [city(0)], part(0)))
    (Unfinished(tmp_path / "export").folder / name).write_bytes(damage)
    with pytest.raises(ExportDamaged, match="export anew"):
        open_export(tmp_path / "export", create=True).finish(CITIES, [part(0)])


def test_a_part_that_was_emptied_is_an_error(tmp_path: Path) -> None:
    """Documents end where a file ends, and no slice leaves a file without any."""
    place = begin(tmp_path / "export", "mongodump")
    accepted(place.put_many(CITIES, [city(0)], part(0)))
    (staged,) = Unfinished(tmp_path / "export").parts("cities").glob("*.part.gz")
    staged.write_bytes(b"")
    with pytest.raises(ExportDamaged, match="damaged"):
        place.finish(CITIES, [part(0)])


def test_what_a_disk_is_in_the_way_of_can_be_done_again(tmp_path: Path) -> None:
    """A full disk, a lost mount or missing rights are no fault of a slice: it waits, and goes on afterwards."""
    place = begin(tmp_path / "export", "jsonl")
    (tmp_path / "export" / "cities").touch()
    with pytest.raises(Unavailable, match="see to its disk") as caught:
        place.put_many(CITIES, [city(0)], part(0))
    assert caught.value.retryable
    (tmp_path / "export" / "cities").unlink()
    accepted(place.put_many(CITIES, [city(0)], part(0)))
    place.finish(CITIES, [part(0)])
    assert items_of(tmp_path / "export") == [city(0)]


def test_a_lost_part_is_an_error(form: str, tmp_path: Path) -> None:
    """A slice that the journal counts as done and whose file is gone is never taken for an empty one."""
    place = begin(tmp_path / "export", form)
    accepted(place.put_many(CITIES, [city(0)], part(0)))
    with pytest.raises(ExportDamaged, match="gone"):
        place.finish(CITIES, [part(0), part(1)])


def test_finishing_can_be_repeated(form: str, tmp_path: Path) -> None:
    """A coordinator that was killed while it finished does it again, at any point of it."""
    place = begin(tmp_path / "export", form)
    accepted(place.put_many(CITIES, cities(5), part(0)))
    place.create(_USERS)
    for _again in range(2):
        open_export(tmp_path / "export", create=True).finish(CITIES, [part(0)])
    assert not place.readable
    for _again in range(2):
        open_export(tmp_path / "export", create=True).finish(_USERS, [])
    assert place.tables() == [CITIES, _USERS]
    assert read(place) == (cities(5), [])


def test_a_finished_export_takes_no_more_parts(form: str, tmp_path: Path) -> None:
    """A late worker can't change what is finished, in a process that opened the export before either."""
    early = begin(tmp_path / "export", form)
    accepted(early.put_many(CITIES, [city(0)], part(0)))
    open_export(tmp_path / "export", create=True).finish(CITIES, [part(0)])
    for place in (early, open_export(tmp_path / "export", create=True)):
        with pytest.raises(WrongState, match="complete"):
            place.put_many(CITIES, [city(1)], part(1))
    assert items_of(tmp_path / "export") == [city(0)]


def test_a_finished_export_takes_another_table(form: str, tmp_path: Path) -> None:
    """With a new table an export is unfinished again, until that is finished too; the others stay."""
    write(tmp_path / "export", form, cities(3))
    place = open_export(tmp_path / "export", create=True)
    with pytest.raises(AlreadyExists):
        place.create(CITIES)
    place.create(_USERS)
    with pytest.raises(ExportDamaged, match="not finished"):
        open_export(tmp_path / "export")
    accepted(place.put_many(_USERS, [{"id": "u"}], part(0, "users-00000")))
    place.finish(_USERS, [part(0, "users-00000")])
    assert items_of(tmp_path / "export") == cities(3)
    assert items_of(tmp_path / "export", _USERS) == [{"id": "u"}]


def test_a_dropped_table_leaves_nothing(form: str, tmp_path: Path) -> None:
    """Dropping removes a table's files, finished or not, and the folder with the last one."""
    write(tmp_path / "export", form, cities(3))
    place = open_export(tmp_path / "export", create=True)
    place.create(_USERS)
    accepted(place.put_many(_USERS, [{"id": "u"}], part(0, "users-00000")))
    place.drop(_USERS)
    assert items_of(tmp_path / "export") == cities(3)
    assert not [name for name in names_of((tmp_path / "export").rglob("*")) if "users" in name]
    open_export(tmp_path / "export", create=True).drop(CITIES)
    assert not (tmp_path / "export").exists()


def test_dropping_the_last_table_can_be_repeated(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it removes the rest leaves an export whose table can still be dropped."""

    def killed(_layout: Layout) -> None:
        raise KeyboardInterrupt

    write(tmp_path / "export", form, cities(3))
    (tmp_path / "export" / ".manifest.json.0a.tmp").touch()
    with monkeypatch.context() as patched:
        patched.setattr(layout_named(form), "remove_rest", killed)
        with pytest.raises(KeyboardInterrupt):
            open_export(tmp_path / "export", create=True).drop(CITIES)
    open_export(tmp_path / "export", create=True).drop(CITIES)
    assert not (tmp_path / "export").exists()


def test_no_temporary_file_stays(form: str, tmp_path: Path) -> None:
    """A finished export holds the files of its layout and the manifest, whatever a killed writer left."""
    place = begin(tmp_path / "export", form)
    accepted(place.put_many(CITIES, cities(3), part(0)))
    (tmp_path / "export" / "isthmus").mkdir()
    (tmp_path / "export" / "isthmus" / ".cities.bson.gz.77.tmp").touch()
    place.finish(CITIES, [part(0)])
    assert not [name for name in names_of((tmp_path / "export").rglob("*")) if name.startswith(".")]


def test_a_new_export_has_no_tables(form: str, tmp_path: Path) -> None:
    """Before its first table an export that shall be written is empty, and can't be read."""
    place = open_export(tmp_path / "export", format=form, create=True)
    assert place.tables() == []
    assert not place.readable
    with pytest.raises(TableNotFound):
        place.table("cities")
    with pytest.raises(ExportDamaged, match="not finished"):
        place.units(CITIES, 1)
    assert not (tmp_path / "export").exists()


def test_tables_must_be_created_first(tmp_path: Path) -> None:
    """A part of a table that nobody created is refused, and so is a name that could be a path."""
    place = begin(tmp_path / "export", "jsonl")
    with pytest.raises(TableNotFound):
        place.put_many(_USERS, [{"id": "u"}], part(0))
    with pytest.raises(WrongState):
        place.put_many(CITIES, [city(0)], part(0, "../cities"))


def test_items_of_an_export_cannot_be_deleted(tmp_path: Path) -> None:
    """Files are written once."""
    with pytest.raises(UnsupportedOperation):
        begin(tmp_path / "export", "jsonl").delete_many(CITIES, [{"country": "CH", "id": 1}])


def test_values_that_are_not_normal_are_made_so(tmp_path: Path) -> None:
    """Items that come from transforms are normalised, and refused with the reason where they can't be."""
    place = begin(tmp_path / "export", "jsonl")
    receipt = place.put_many(CITIES, [{**city(0), "t": (1, 2.0)}, {**city(1), "t": object()}], part(0))  # type: ignore[dict-item]
    place.finish(CITIES, [part(0)])
    assert [refusal.position for refusal in receipt.refusals] == [1]
    assert items_of(tmp_path / "export") == [{**city(0), "t": [1, 2]}]


@pytest.mark.parametrize(("form", "compression"), [("mongodump", "zstd"), ("jsonl", "bzip2"), ("csv", None)])
def test_unknown_formats_and_compressions_are_refused(form: str, compression: str | None, tmp_path: Path) -> None:
    """What a format can't be compressed with is refused before anything is written."""
    with pytest.raises(InvalidArgument, match="use one of"):
        open_export(tmp_path / "export", format=form, compression=compression, create=True)
    assert not (tmp_path / "export").exists()


def test_tables_of_isthmus_itself_are_refused_by_mongodump(tmp_path: Path) -> None:
    """Restored they would stand where the catalogue does."""
    with pytest.raises(ExportUnsupported, match="isthmus_"):
        begin(tmp_path / "export", "mongodump", Table("isthmus_tables", "id"))


def test_the_same_items_are_the_same_bytes(tmp_path: Path) -> None:
    """Two exports of the same items have the same checksums, so they can be compared without reading items."""
    for name in ("one", "two"):
        write(tmp_path / name, "jsonl", cities(20))
    contents = [json.loads((tmp_path / name / "manifest.json").read_text())["tables"] for name in ("one", "two")]
    assert contents[0][0]["files"][0]["sha256"]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("key", [{"id": 1}, {"country": "", "id": 1}, {"country": "CH", "id": "1"}])
def test_items_that_could_not_be_read_back_are_refused(form: str, key: Item, tmp_path: Path) -> None:
    """An item without a key that fits is refused when it is written, and not only when it is read."""
    place = begin(tmp_path, form)
    receipt = place.put_many(CITIES, [key, city(2)], part(0), normal=True)
    assert [(refusal.position, refusal.error.code) for refusal in receipt.refusals] == [(0, "invalid_key")]
    place.finish(CITIES, [part(0)])
    assert items_of(tmp_path) == [city(2)]


def test_an_item_that_is_too_long_to_be_read_back_is_refused(form: str, tmp_path: Path) -> None:
    """Readers refuse records without end, so none of those is written."""
    place = begin(tmp_path, form)
    receipt = place.put_many(CITIES, [{**city(1), "raw": bytes(17 << 20)}, city(2)], part(0))
    assert [(refusal.position, refusal.error.code) for refusal in receipt.refusals] == [(0, "item_too_large")]
    place.finish(CITIES, [part(0)])
    assert items_of(tmp_path) == [city(2)]


def test_two_writers_of_one_file_use_two_temporary_ones(tmp_path: Path) -> None:
    """Processes of two machines may have one number, and threads have one anyway."""
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"


def _nested(depth: int) -> Value:
    return [_nested(depth - 1)] if depth else 1


@pytest.mark.parametrize("value", [{"": 1}, _nested(40)])
def test_values_that_could_not_be_read_back_are_refused(form: str, value: Value, tmp_path: Path) -> None:
    """Other programs can put into a store what is nested deeper, or named otherwise, than readers of files take."""
    place = begin(tmp_path, form)
    receipt = place.put_many(CITIES, [{**city(1), "more": value}, city(2)], part(0), normal=True)
    assert [(refusal.position, refusal.error.code) for refusal in receipt.refusals] == [(0, "invalid_value")]
    place.finish(CITIES, [part(0)])
    assert items_of(tmp_path) == [city(2)]
