"""``make bench``: runs all measurements, writes ``build/bench.json`` and prints a table.

Name groups on the command line to run only those: ``python tests/bench/run.py overhead``. Exit status 1 says that a bar
was missed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import asdict
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import embedded, imports, memory, overhead  # noqa: E402  # the folder is no installed package
from tests.bench.measure import Measurement  # noqa: E402  # as above

GROUPS: dict[str, Callable[[], list[Measurement]]] = {
    "imports": imports.measure,
    "overhead": overhead.measure,
    "embedded": embedded.measure,
    "memory": memory.measure,
}


def main(wanted: Sequence[str]) -> int:
    """Run the groups and report; the exit status."""
    unknown = set(wanted) - set(GROUPS)
    if unknown:
        print(f"unknown group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    found = [measurement for name in wanted or GROUPS for measurement in GROUPS[name]()]
    _write(found)
    _print(found)
    return 0 if all(measurement.met for measurement in found) else 1


def _write(found: list[Measurement]) -> None:
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    rows = [{**asdict(measurement), "met": measurement.met} for measurement in found]
    target.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _print(found: list[Measurement]) -> None:
    table = Table("measurement", "ours", "reference", "ratio or overhead", "spread", "bar", "rounds")
    for row in found:
        reference = "" if row.reference is None else f"{row.reference:,.2f}"
        sign = "≥" if row.at_least else "≤"
        colour = "green" if row.met else "red"
        table.add_row(
            row.name, f"{row.ours:,.2f} {row.unit}", reference, f"[{colour}]{row.ratio:,.2f}[/]",
            f"{row.spread[0]:,.2f} to {row.spread[1]:,.2f}", f"{sign} {row.bar}", str(row.rounds),
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
