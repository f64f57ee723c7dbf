"""Writes to the source while it is copied: what the copy missed is found by the verification (rule LYR-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import isthmus
from isthmus_migration import Migration, RunOptions


def test_what_is_written_during_a_copy_is_found_and_repaired(tmp_path: Path) -> None:
    """Changed, new and deleted items behind the copy's back are named one by one, and then copied."""
    with isthmus.connect("memory://") as source, isthmus.connect("memory://") as target:
        things = source.table("things", partition_key="id", sort_key=("n", int)).ensure()
        things.put_many([{"id": "a", "n": n} for n in range(10, 60)])
        written: list[str] = []

        def write_behind(code: str, _data: dict[str, Any]) -> None:
            if code == "slice" and not written:
                things.update(id="a", n=10, set={"text": "later"})
                things.put({"id": "a", "n": 1})
                things.delete(id="a", n=11)
                written.append(code)

        migration = Migration.plan(source, target, workdir=tmp_path / "work", units=1)
        migration.run(engine="inline", options=RunOptions(slice_items=20, listener=write_behind))
        assert written
        # The digest of the copy is of what it read, and all of that arrived: only a second look at the source tells.
        assert migration.verify("digest", engine="inline").equal
        found = migration.verify("full", engine="inline")
        assert sorted((one.kind, one.key["n"]) for one in found.mismatches) == [
            ("changed", 10), ("extra", 11), ("missing", 1),
        ]  # fmt: skip
        assert migration.repair(delete_extra=True, engine="inline").verification.equal
        assert target.tables.open("things").scan().count() == 50
