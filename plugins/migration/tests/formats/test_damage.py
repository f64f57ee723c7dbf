"""What is wrong with an export is said by name before it is believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from isthmus.errors import InvalidCursor
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats.compression import compressed
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import (
    CITIES,
    LOSSLESS,
    begin,
    cities,
    data_file,
    items_of,
    part,
    read,
    write,
)


@pytest.fixture(params=LOSSLESS)
def form(request: pytest.FixtureRequest) -> str:
    """Each lossless format."""
    return str(request.param)


@pytest.fixture
def export(form: str, tmp_path: Path) -> Path:
    """An export of 25 items in three parts."""
    write(tmp_path / "export", form, cities(25))
    return tmp_path / "export"


def _refused(folder: Path, name: str) -> str:
    with pytest.raises(ExportDamaged) as caught:
        items_of(folder)
    assert name in caught.value.message
    return caught.value.message


def test_a_flipped_byte_is_found_before_an_item_is_read(export: Path, form: str) -> None:
    """Whatever byte of a file is flipped, its checksum tells."""
    path = data_file(export, form)
    sound = path.read_bytes()
    for place in (0, len(sound) // 2, len(sound) - 1):
        damaged = bytearray(sound)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert "checksum" in _refused(export, path.name)


def test_a_truncated_file_is_found(export: Path, form: str) -> None:
    """A file that is shorter than it was is refused."""
    path = data_file(export, form)
    path.write_bytes(path.read_bytes()[:-1])
    assert "bytes" in _refused(export, path.name)


def test_a_missing_file_is_found(export: Path, form: str) -> None:
    """A file that is gone is named."""
    path = data_file(export, form)
    path.unlink()
    assert "lacks" in _refused(export, path.name)


def test_a_missing_file_is_found_before_anything_is_read(tmp_path: Path) -> None:
    """Not only when its turn comes, which may be hours later."""
    write(tmp_path, "jsonl", cities(25))
    (tmp_path / "cities" / "cities-00000-000002.jsonl.zst").unlink()
    with pytest.raises(ExportDamaged, match="cities-00000-000002"):
        open_export(tmp_path)


def test_a_surplus_file_is_found(export: Path, form: str) -> None:
    """A file that the manifest does not know is named, because another tool would import it."""
    path = data_file(export, form)
    path.with_name(f"more-{path.name}").write_bytes(path.read_bytes())
    assert "does not know" in _refused(export, f"more-{path.name}")


def test_an_edited_manifest_is_found(export: Path) -> None:
    """A manifest whose text was changed is refused, were it only one number."""
    path = export / "manifest.json"
    path.write_text(path.read_text().replace('"items": 25', '"items": 24', 1))
    _refused(export, "manifest.json")


@pytest.mark.parametrize("text", ["", "{", '{"kind": "isthmus-export"}', '{"kind": "isthmus-export", "checksum": 1}'])
def test_a_broken_manifest_is_found(text: str, tmp_path: Path) -> None:
    """A manifest that is none is refused, whatever is in it."""
    write(tmp_path / "export", "jsonl", cities(1))
    (tmp_path / "export" / "manifest.json").write_text(text)
    with pytest.raises((ExportDamaged, ExportUnsupported)):
        items_of(tmp_path / "export")


def test_an_unfinished_export_is_no_source(form: str, tmp_path: Path) -> None:
    """Without its manifest an export can't be opened for reading, and what writes it goes on."""
    place = begin(tmp_path / "export", form)
    place.put_many(CITIES, cities(3), part(0))
    before = place.readable
    with pytest.raises(ExportDamaged, match="not finished"):
        open_export(tmp_path / "export")
    with pytest.raises(ExportDamaged, match="not finished"):
        read(place)
    place.finish(CITIES, [part(0)])
    assert (before, place.readable) == (False, True)
    assert items_of(tmp_path / "export") == cities(3)


# ---- manifests that lie ----


def _forge(folder: Path, change: Callable[[Any], None]) -> None:
    """Change a manifest and give it a checksum that is right."""
    path = folder / "manifest.json"
    content = json.loads(path.read_bytes())
    del content["checksum"]
    change(content)
    digest = sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    path.write_text(json.dumps({**content, "checksum": digest}))


def _file(content: Any) -> Any:
    return content["tables"][0]["files"][0]


@pytest.mark.parametrize("name", ["../secret", "cities/../../secret", "/etc/passwd", "..\\secret", "", "cities/link"])
def test_names_in_manifests_stay_inside(name: str, tmp_path: Path) -> None:
    """A manifest can't name a file outside of the export: not by dots, not absolutely, not through a link."""
    (tmp_path / "secret").write_text("s")
    write(tmp_path / "export", "jsonl", cities(3))
    if name.endswith("link"):
        (tmp_path / "export" / "cities" / "link").symlink_to(tmp_path / "secret")
    _forge(tmp_path / "export", lambda content: _file(content).update(path=name, size=None, sha256=None))
    (tmp_path / "export" / "cities" / "cities-00000-000000.jsonl.zst").unlink()
    with pytest.raises(ExportDamaged, match="inside"):
        items_of(tmp_path / "export")


def test_a_file_that_is_a_link_to_itself_is_refused(export: Path, form: str) -> None:
    """As one that leads nowhere inside."""
    path = data_file(export, form)
    path.unlink()
    path.symlink_to(path.name)
    assert "inside" in _refused(export, path.name)


def test_a_pipe_in_the_place_of_a_manifest_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody ever writes into it."""
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ExportUnsupported, match="no export"):
        open_export(tmp_path)


@pytest.mark.parametrize("change", [{"own_folder": "../mine"}, {"own_folder": "."}, {"beside": ["../mine/notes.txt"]}])
def test_a_manifest_cannot_have_other_files_removed(change: dict[str, Any], tmp_path: Path) -> None:
    """Dropping a table removes nothing outside of the export, whatever the manifest says."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    write(tmp_path / "export", "jsonl", cities(1))
    _forge(tmp_path / "export", lambda content: content["tables"][0]["details"].update(change))
    with pytest.raises(ExportDamaged, match="inside"):
        open_export(tmp_path / "export", create=True).drop(CITIES)
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_a_wrong_number_of_items_is_found(export: Path) -> None:
    """A file that holds another number of items than the manifest says is refused."""
    _forge(export, lambda content: _file(content).update(items=3, frames=[]))
    assert "says 3" in _refused(export, "records")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """An export of a later release says so."""
    write(tmp_path / "export", "jsonl", cities(1))
    _forge(tmp_path / "export", lambda content: content.update(codec_version=99))
    with pytest.raises(ExportUnsupported, match="later"):
        open_export(tmp_path / "export")


_NO_MANIFESTS: dict[str, Callable[[Any], None]] = {
    "format": lambda content: content.update(format=[]),
    "path": lambda content: _file(content).update(path=1),
    "size": lambda content: _file(content).update(size="12"),
    "items": lambda content: _file(content).update(items=-1),
    "frames": lambda content: _file(content).update(frames=[[None, 1]]),
    "frames beyond the file": lambda content: _file(content).update(frames=[[10**9, 1]]),
    "details": lambda content: content["tables"][0].update(details=[]),
    "folder": lambda content: content["tables"][0].update(details={}),
    "beside": lambda content: content["tables"][0]["details"].update(beside=[1]),
}


@pytest.mark.parametrize("change", _NO_MANIFESTS.values(), ids=_NO_MANIFESTS)
def test_a_manifest_with_another_kind_of_value_is_refused(change: Callable[[Any], None], tmp_path: Path) -> None:
    """Though its checksum is right, it is no manifest, and nothing is read by it."""
    write(tmp_path / "export", "jsonl", cities(1))
    _forge(tmp_path / "export", change)
    _refused(tmp_path / "export", "manifest.json")


def _replace_file(folder: Path, data: bytes) -> None:
    """Put other content into the only file, with a checksum that is right."""
    path = data_file(folder, "jsonl")
    path.write_bytes(data)
    _forge(folder, lambda content: _file(content).update(size=len(data), sha256=sha256(data).hexdigest()))


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """A line that becomes longer than any item is refused before it fills the memory."""
    write(tmp_path / "export", "jsonl", cities(1))
    bomb = zstandard.ZstdCompressor(level=3).compress(b" " * (200 << 20))
    assert len(bomb) < 100_000
    _replace_file(tmp_path / "export", bomb)
    assert "no item needs" in _refused(tmp_path / "export", "jsonl")


# ---- malformed lines (S8) ----

_BAD = (b"{", b"", b"[1]", b'{"country":"CH"}', b'{"country":1,"id":2}', b'{"country":"CH","id":1,"a":1,"a":2}',
        b"\xff", b'{"country":"CH","id":NaN}')  # fmt: skip


def test_a_malformed_line_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    """S8: no line is skipped silently; each bad one comes with its bytes, its file and its number."""
    write(tmp_path / "export", "jsonl", cities(1))
    good = b'{"country":"CH","id":7}\n'
    data = good + b"".join(line + b"\n" for line in _BAD) + good
    _replace_file(tmp_path / "export", compressed(data, "zstd"))
    _forge(tmp_path / "export", lambda content: _file(content).update(items=len(_BAD) + 2))
    with open_export(tmp_path / "export") as place:
        items, faults = read(place, items=2)
    assert items == [{"country": "CH", "id": 7}] * 2
    assert [fault.original for fault in faults] == list(_BAD)
    names = [f"cities/cities-00000-000000.jsonl.zst:{number}" for number in range(2, len(_BAD) + 2)]
    assert [fault.name for fault in faults] == names


# ---- folders ----


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """An export is neither read from nor written into a folder that holds other files."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportUnsupported, match="no export"):
        open_export(tmp_path)
    with pytest.raises(ExportUnsupported, match="something else"):
        open_export(tmp_path, format="jsonl", create=True)
    with pytest.raises(ExportDamaged, match="no folder"):
        open_export(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_another_format_than_expected_is_refused(tmp_path: Path) -> None:
    """The format that was asked for and the one that is there must agree."""
    write(tmp_path / "export", "jsonl", cities(1))
    with pytest.raises(ExportUnsupported, match="jsonl"):
        open_export(tmp_path / "export", format="dynamodb")
    with pytest.raises(ExportUnsupported, match="jsonl"):
        open_export(tmp_path / "export", format="dynamodb", create=True)


@pytest.mark.parametrize("cursor", ["", "x", "[]", "[0,0,0]", '[0,0,0,"1"]', "[-1,0,0,0]", "[5,0,0,0]", "{}"])
def test_a_damaged_cursor_is_refused(cursor: str, tmp_path: Path) -> None:
    """A cursor that no slice gave is an error, not an end."""
    write(tmp_path / "export", "jsonl", cities(3))
    place = open_export(tmp_path / "export")
    (unit,) = place.units(CITIES, 1)
    with pytest.raises(InvalidCursor):
        place.read(CITIES, unit, cursor, items=1, size=1000)
