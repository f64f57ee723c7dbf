"""The figures of the last published benchmark run, as tables and plots: ``make bench ARGS=--page`` publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs._generate.markdown import table
from docs._generate.plots import Bar, Curve, bars, figure, lines

FIGURES = Path(__file__).parents[1] / "_data" / "benchmarks.json"
_MISSING = "This run was not published. `make bench ARGS=--page` measures and publishes.\n"
Row = dict[str, Any]


def dynamodb_figures() -> str:
    """The peers on DynamoDB Local."""
    return comparison("DynamoDB")


def mongodb_figures() -> str:
    """The peers on MongoDB."""
    return comparison("MongoDB")


def comparison(engine: str, path: Path = FIGURES) -> str:
    """One caller as ratios and as bars, then many callers."""
    section = _section(engine, path)
    if section is None:
        return _MISSING
    single = [row for row in section["rows"] if row["callers"] == 1]
    many = [row for row in section["rows"] if row["callers"] > 1]
    return "\n".join([_machine(section), _ratios(single, section["reference"]), _bars(single), _rates(many)])


def scaling(path: Path = FIGURES) -> str:
    """Rate and processor time over the number of callers, by backend."""
    section = _section("scaling", path)
    if section is None:
        return _MISSING
    rows = section["rows"]
    return "\n".join([_machine(section), *(_curves(rows, operation) for operation in _unique(rows, "operation"))])


def _section(name: str, path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found: dict[str, Any] | None = json.loads(path.read_text("utf-8")).get(name)
    return found


def _unique(rows: list[Row], field: str) -> list[Any]:
    return list(dict.fromkeys(row[field] for row in rows))


def _machine(section: dict[str, Any]) -> str:
    machine = section["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    extent = f"{section['rounds']} rounds, blocks of {section['seconds']} s"
    return f"CPython {machine['python']}, {machine['cpus']} cores; {packages}; {extent}.\n"


def _ratios(rows: list[Row], reference: str) -> str:
    operations = _unique(rows, "operation")
    cells = {(row["label"], row["operation"]): _cell(row, reference) for row in rows}
    labels = sorted(_unique(rows, "label"), key=lambda label: label != reference)
    body = [[label, *(cells.get((label, operation), "-") for operation in operations)] for label in labels]
    return table(["one caller", *operations], body)


def _cell(row: Row, reference: str) -> str:
    if row["label"] == reference:
        return f"{row['cpu_us']:,.0f} µs ({row['wall_us']:,.0f} µs)"
    low, middle, high = row["cpu_ratio"]
    return f"**{middle:.2f}** [{low:.2f} to {high:.2f}] ({row['wall_ratio'][1]:.2f})"


def _bars(rows: list[Row]) -> str:
    panels = []
    for operation in _unique(rows, "operation"):
        chosen = [row for row in rows if row["operation"] == operation]
        entries = [_bar(row) for row in sorted(chosen, key=lambda row: float(row["cpu_us"]))]
        panels.append(bars(operation, entries))
    return figure(panels, "Processor time of the client for one operation, one caller")


def _bar(row: Row) -> Bar:
    return Bar(row["label"], row["cpu_us"], f"{row['cpu_us']:,.0f} µs", row["label"].startswith("Isthmus"))


def _rates(rows: list[Row]) -> str:
    columns = dict.fromkeys((row["operation"], row["callers"]) for row in rows)
    cells = {(row["label"], row["operation"], row["callers"]): row for row in rows}
    body = [[label, *(_rate(cells.get((label, *column))) for column in columns)] for label in _unique(rows, "label")]
    return table(["at once", *(f"{callers} {operation}" for operation, callers in columns)], body)


def _rate(row: Row | None) -> str:
    return "-" if row is None else f"{row['rate']:,.0f}/s ({row['cpu_us']:,.0f} µs)"


def _curves(rows: list[Row], operation: str) -> str:
    chosen = [row for row in rows if row["operation"] == operation]
    backends = dict.fromkeys(row["label"].rpartition(" ")[0] for row in chosen)
    panels = [_panel(chosen, backend, *shown) for shown in _SHOWN for backend in backends]
    return figure(panels, f"{operation}: 1 to 64 threads (sync) or tasks (async)")


_SHOWN = (("rate", "operations a second"), ("cpu_us", "µs of processor for each"))


def _panel(rows: list[Row], backend: str, field: str, unit: str) -> str:
    curves = [
        Curve(mode, [row[field] for row in rows if row["label"] == f"{backend} {mode}"]) for mode in ("sync", "async")
    ]
    return lines(f"{backend}, {unit}", _unique(rows, "callers"), curves)
