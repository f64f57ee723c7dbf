"""Folders that mongorestore reads, and those that mongodump writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database as Native

import isthmus
from isthmus import Index, Table, Unique
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats.compression import compressed
from isthmus_migration.formats.mongodump_layout import mongodump_format
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import CITIES, cities, city, items_of, read, write
from plugins.migration.tests.formats.mongo_tools import dump, restore
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database

_PLACES = Table(
    "places", "country", ("id", int), indexes=[Index("by_raw", ("raw", bytes), "name")], unique=[Unique(["name"])]
)


@pytest.fixture
def native(mongodb_url: str) -> Iterator[Native[Any]]:
    """An empty database of the server, without Isthmus."""
    with driver(mongodb_url) as client:
        found = client[f"{DATABASE}-{fresh_name()}"]
        yield found
        client.drop_database(found.name)


@pytest.mark.parametrize("compression", [None, "none"])
def test_a_restored_export_is_a_database_of_isthmus(
    compression: str | None, native: Native[Any], mongodb_url: str, tmp_path: Path
) -> None:
    """After a restore by tools of the store the tables are there: definitions, items, indexes, unique values."""
    write(tmp_path / "export", "mongodump", cities(25), table=_PLACES, compression=compression)
    assert restore(tmp_path / "export" / "isthmus", native) == ["isthmus_tables", "places"]
    with isthmus.connect(in_database(mongodb_url, database=native.name)) as database:
        assert database.tables.describe("places") == _PLACES
        places = database.table(_PLACES)
        assert list(places.query(country="CH")) == cities(25)
        assert places.query(raw=b"\0\xff", index="by_raw").count() == 25
        with pytest.raises(isthmus.errors.UniqueViolation):
            places.put({**city(99), "name": city(3)["name"]})


@pytest.mark.parametrize("zipped", [False, True])
def test_a_dump_of_a_database_of_isthmus_is_read(
    zipped: bool, native: Native[Any], mongodb_url: str, tmp_path: Path
) -> None:
    """Tables and items of a dump are those of the database, whatever its prefix; hidden fields are no attributes."""
    url = in_database(mongodb_url, database=native.name)
    with isthmus.connect(url, mongodb={"prefix": "shop_"}) as database:
        database.tables.create(_PLACES)
        database.table(_PLACES).put_many(cities(25))
        database.table(_PLACES).update({"country": "CH", "id": 3}, add={"version": 1})
    folder = dump(native, tmp_path, zipped=zipped)
    expected = [{**item, "version": 4} if item["id"] == 3 else item for item in cities(25)]
    for named in (tmp_path, folder):
        with open_export(named) as place:
            assert place.format == "mongodump"
            assert place.tables() == [_PLACES]
            items, faults = read(place, _PLACES, items=7, anew=True)
        assert not faults
        assert sorted(items, key=lambda item: item["id"]) == expected  # type: ignore[arg-type, return-value]


def test_a_dump_of_another_program_is_refused(native: Native[Any], tmp_path: Path) -> None:
    """Without the catalogue nobody knows what the keys of documents are, and the error says what helps."""
    native["people"].insert_one({"name": "Ada"})
    dump(native, tmp_path, zipped=False)
    with pytest.raises(ExportUnsupported, match="mapping"):
        open_export(tmp_path)


def test_documents_of_another_program_among_items_are_reported(tmp_path: Path) -> None:
    """A document that is no item comes with its bytes, file and number; so does one that a transaction held."""
    write(tmp_path / "export", "mongodump", cities(2), compression="none")
    (tmp_path / "export" / "manifest.json").unlink()
    stranger = bson.encode({"_id": bson.ObjectId(), "name": "Ada"})
    held = bson.encode({"_id": {"country": "CH", "id": 9}, "__tx": {"x": 1}})
    path = tmp_path / "export" / "isthmus" / "cities.bson"
    path.write_bytes(stranger + path.read_bytes() + held)
    with open_export(tmp_path / "export") as place:
        items, faults = read(place)
    assert items == cities(2)
    assert [fault.original for fault in faults] == [stranger, held]
    assert [fault.name for fault in faults] == ["isthmus/cities.bson:1", "isthmus/cities.bson:4"]
    assert "transaction" in faults[1].error.message


def test_our_own_manifest_is_not_needed(tmp_path: Path) -> None:
    """Without it an export of ours is read as a dump of mongodump's."""
    write(tmp_path / "export", "mongodump", cities(25))
    (tmp_path / "export" / "manifest.json").unlink()
    assert items_of(tmp_path / "export") == cities(25)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("cut", [1, 30])
def test_a_file_that_is_cut_off_is_found(zipped: bool, cut: int, tmp_path: Path) -> None:
    """Where nobody wrote a checksum down, the end of a file still tells that something is missing."""
    write(tmp_path / "export", "mongodump", cities(3), compression=None if zipped else "none")
    (tmp_path / "export" / "manifest.json").unlink()
    (path,) = (tmp_path / "export" / "isthmus").glob("cities.bson*")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ExportDamaged, match="cut off"), open_export(tmp_path / "export") as place:
        read(place)


def test_a_compressed_file_without_bytes_is_found(tmp_path: Path) -> None:
    """A collection without documents is compressed too: a file of nothing has lost all of its documents."""
    write(tmp_path / "export", "mongodump", cities(3))
    (tmp_path / "export" / "manifest.json").unlink()
    (tmp_path / "export" / "isthmus" / "cities.bson.gz").write_bytes(b"")
    with pytest.raises(ExportDamaged, match="0 bytes"), open_export(tmp_path / "export") as place:
        read(place)


@pytest.mark.parametrize("data", [b"\xff\xff\xff\x7f rest", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"text, no BSON"])
def test_what_is_no_bson_is_refused(data: bytes, tmp_path: Path) -> None:
    """Lengths of documents are not believed."""
    write(tmp_path / "export", "mongodump", cities(1))
    (tmp_path / "export" / "manifest.json").unlink()
    path = tmp_path / "export" / "isthmus" / "cities.bson.gz"
    path.write_bytes(compressed(data, "gzip"))
    with pytest.raises(ExportDamaged, match="BSON"), open_export(tmp_path / "export") as place:
        read(place)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_nothing_is_guessed_from_compressed_bytes(compression: str, tmp_path: Path) -> None:
    """A dump says nothing of the number of its items, and as compressed as this one is, its size doesn't either."""
    items = [{**city(number), "text": "x" * 10_000} for number in range(50)]
    write(tmp_path / "export", "mongodump", items, compression=compression)
    (tmp_path / "export" / "manifest.json").unlink()
    with open_export(tmp_path / "export") as place:
        facts = place.facts(CITIES)
    assert (facts.items, (facts.size or 0) > 500_000) == (None, compression == "none")


def test_a_catalogue_that_leads_out_of_the_dump_is_refused(tmp_path: Path) -> None:
    """As any other file."""
    write(tmp_path / "export", "mongodump", cities(1))
    (tmp_path / "export" / "manifest.json").unlink()
    path = tmp_path / "export" / "isthmus" / f"{mongodump_format().catalogue}.bson.gz"
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(ExportDamaged, match="inside"):
        open_export(tmp_path / "export")


def test_several_databases_need_a_choice(tmp_path: Path) -> None:
    """A dump of several databases is refused with their names; those of the server itself don't count."""
    for name in ("shop", "admin"):
        write(tmp_path / name, "mongodump", cities(1))
        (tmp_path / name / "isthmus").rename(tmp_path / f"{name}-moved")
    (tmp_path / "dump").mkdir()
    (tmp_path / "shop-moved").rename(tmp_path / "dump" / "shop")
    (tmp_path / "admin-moved").rename(tmp_path / "dump" / "admin")
    assert items_of(tmp_path / "dump") == cities(1)
    (tmp_path / "dump" / "admin").rename(tmp_path / "dump" / "books")
    with pytest.raises(ExportUnsupported, match="books, shop"):
        open_export(tmp_path / "dump")
    assert items_of(tmp_path / "dump" / "books", CITIES) == cities(1)


def test_a_lacking_collection_is_found(tmp_path: Path) -> None:
    """A table of the catalogue whose file is gone is an error."""
    write(tmp_path / "export", "mongodump", cities(1))
    (tmp_path / "export" / "manifest.json").unlink()
    (tmp_path / "export" / "isthmus" / "cities.bson.gz").unlink()
    with pytest.raises(ExportDamaged, match="cities"):
        open_export(tmp_path / "export")


def test_two_dumps_in_one_folder_are_found(tmp_path: Path) -> None:
    """A collection with and without compression is of two dumps, of which nobody knows which one counts."""
    for compression in ("gzip", "none"):
        write(tmp_path / compression, "mongodump", cities(1), compression=compression)
    (tmp_path / "none" / "isthmus" / "cities.bson").rename(tmp_path / "gzip" / "isthmus" / "cities.bson")
    (tmp_path / "gzip" / "manifest.json").unlink()
    with pytest.raises(ExportDamaged, match=r"cities\.bson and cities\.bson\.gz"):
        open_export(tmp_path / "gzip")


@pytest.mark.parametrize("depth", [500, 5_000])
def test_documents_without_bottom_are_reported(depth: int, tmp_path: Path) -> None:
    """Files can hold documents that are nested deeper than any server takes."""
    write(tmp_path, "mongodump", cities(1))
    (tmp_path / "manifest.json").unlink()
    deep = bson.encode({})
    for _ in range(depth):
        deep = bson.encode({"a": RawBSONDocument(deep)})
    record = bson.encode({"_id": {"country": "CH", "id": 1}, "deep": RawBSONDocument(deep)})
    (tmp_path / "isthmus" / "cities.bson.gz").write_bytes(compressed(record, "gzip"))
    with open_export(tmp_path) as place:
        items, faults = read(place)
    assert (items, [fault.original for fault in faults]) == ([], [record])
