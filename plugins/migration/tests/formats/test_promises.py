from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus_migration import Migration, RunOptions
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged
from isthmus_migration.formats import manifests


def exported(folder: Path) -> Path:
    """An export of three items."""
    source = f"sqlite:///{folder}/source.db"
    with isthmus.connect(source) as database:
        database.table("things", partition_key="id").ensure().put_many([{"id": name} for name in "abc"])
    export = folder / "export"
    Migration.plan(source, str(export), workdir=folder / "out").run(engine="inline")
    return export


def imported(folder: Path, export: Path) -> Migration:
    """A migration from the export into a database."""
    return Migration.plan(str(export), f"sqlite:///{folder}/target.db", workdir=folder / "in")


def test_an_import_proves_itself_by_the_digest_of_the_manifest(tmp_path: Path) -> None:
    """What was read comes to what the export says of itself."""
    assert imported(tmp_path, exported(tmp_path)).run(engine="inline").finished


def test_an_import_that_read_other_items_is_no_success(tmp_path: Path) -> None:
    """The manifest promises other items than its files hold, though each file is what it says."""
    export = exported(tmp_path)
    file = export / "manifest.json"
    data = json.loads(file.read_text())
    other = BucketDigest.of([{"id": "a"}, {"id": "b"}, {"id": "d"}], ("id",))
    (table,) = data["tables"]
    table["digest"] = manifests._digest_to_dict(other)
    del data["checksum"]
    file.write_text(json.dumps({**data, "checksum": manifests._checksum(data)}))
    with pytest.raises(ExportDamaged, match="other items than its manifest promises"):
        imported(tmp_path, export).run(engine="inline")


def test_two_migrations_can_write_one_export(tmp_path: Path) -> None:
    """Whichever ends last finishes it, and both can be verified then."""
    source, export = f"sqlite:///{tmp_path}/source.db", tmp_path / "export"
    with isthmus.connect(source) as database:
        for name in ("first", "second"):
            database.table(name, partition_key="id").ensure().put_many([{"id": name} for name in "abc"])
    first, second = (
        Migration.plan(source, str(export), workdir=tmp_path / name, tables=[name]) for name in ("first", "second")
    )

    def stop(code: str, _data: dict[str, Any]) -> None:
        if code == "slice":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(engine="inline", options=RunOptions(listener=stop))
    assert second.run(engine="inline").finished
    assert not (export / manifests.NAME).exists()
    assert first.run(engine="inline").finished
    assert [one.verify(engine="inline").equal for one in (first, second)] == [True, True]


def test_an_export_whose_files_changed_before_its_end_is_no_success(tmp_path: Path) -> None:
    """A part that is still well-formed and as long, but holds another item than its slice has written, is found."""
    source = f"sqlite:///{tmp_path}/source.db"
    with isthmus.connect(source) as database:
        database.table("things", partition_key="id").ensure().put_many(
            [{"id": name, "text": "as it was"} for name in "abc"]
        )

    def changed(code: str, _data: dict[str, Any]) -> None:
        if code == "ended":
            file = next(path for path in (tmp_path / "export" / "things").iterdir() if b'"a"' in path.read_bytes())
            file.write_bytes(file.read_bytes().replace(b"as it was", b"as it is!"))

    migration = Migration.plan(source, str(tmp_path / "export"), workdir=tmp_path / "out", compression="none")
    with pytest.raises(ExportDamaged, match="do not hold what was written"):
        migration.run(engine="inline", options=RunOptions(listener=changed))
