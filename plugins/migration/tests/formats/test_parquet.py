"""Parquet keeps what it has room for, and says what it has not."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from isthmus import Table
from isthmus.values import Item
from isthmus_migration.errors import ExportUnsupported
from isthmus_migration.places.exports import open_export
from plugins.migration.tests.formats.helpers import write

_ROWS = Table("rows", "id")


def _rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "rows" / "rows.parquet").to_pylist()  # type: ignore[no-any-return]  # untyped


def _write(folder: Path, items: list[Item], *, lossy: bool = False) -> list[dict[str, Any]]:
    write(folder, "parquet", items, table=_ROWS, run=2, lossy=lossy)
    return _rows(folder)


def test_what_fits_is_exact(tmp_path: Path) -> None:
    """Text, truth values, bytes, integers, decimals of different scales and lists of text are kept as they are."""
    items: list[Item] = [
        {"id": "a", "t": "é", "f": True, "b": b"\0", "i": 2**63 - 1, "d": Decimal("1.5"), "l": ["x"], "rare": 1},
        {"id": "b", "t": "", "f": False, "b": b"", "i": -(2**63), "d": Decimal("-0.125"), "l": []},
        {"id": "c", "t": "z", "f": False, "b": b"x", "i": 0, "d": 12345678901234567890, "l": ["x", "y"]},
    ]
    found = _write(tmp_path / "export", items)
    assert [{name: value for name, value in row.items() if value is not None} for row in found] == items


@pytest.mark.parametrize(("values", "loss"), [
    ([1, "1"], "several types"), ([True, 1], "several types"), ([frozenset({"a"})], "sets become lists"),
    ([frozenset({1})], "number sets become JSON text"), ([{"a": 1}], "maps become JSON text"),
    ([[1]], "lists become JSON text"), ([10**30 + 1, Decimal("1E-30")], "rounded"), ([Decimal("1E-130")], "rounded"),
    (["x", None, "missing"], "null and missing"),
])  # fmt: skip
def test_losses_are_refused_by_name(values: list[Any], loss: str, tmp_path: Path) -> None:
    """What would be lost is refused with the attribute and the reason; when it is allowed the manifest lists it."""
    items: list[Item] = [{"id": str(number), "mine": value} for number, value in enumerate(values)]
    for item in items:
        if item["mine"] == "missing":
            del item["mine"]
    with pytest.raises(ExportUnsupported, match=f"'mine'.*{loss}.*lossy"):
        _write(tmp_path / "strict", items)
    assert len(_write(tmp_path / "export", items, lossy=True)) == len(items)
    manifest = json.loads((tmp_path / "export" / "manifest.json").read_text())
    (lost,) = manifest["tables"][0]["details"]["lost"]
    assert loss in lost


def test_json_text_holds_the_whole_value(tmp_path: Path) -> None:
    """What becomes text can be read back by hand."""
    (row,) = _write(tmp_path / "export", [{"id": "a", "m": {"s": frozenset({"x"}), "n": Decimal("1.5")}}], lossy=True)
    assert json.loads(row["m"]) == {"s": {"$set": ["x"]}, "n": 1.5}


def test_an_empty_table_has_its_key(tmp_path: Path) -> None:
    """A table without items is a file with the key's columns."""
    write(tmp_path / "export", "parquet", [], table=_ROWS)
    assert pq.read_schema(tmp_path / "export" / "rows" / "rows.parquet").names == ["id"]


def test_it_is_no_source(tmp_path: Path) -> None:
    """A Parquet export can't be read back, and says so."""
    _write(tmp_path / "export", [{"id": "a"}])
    with open_export(tmp_path / "export") as place:
        assert not place.readable
        with pytest.raises(ExportUnsupported, match="can't be read back"):
            place.units(_ROWS, 1)
