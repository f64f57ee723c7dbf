"""``make bench``: runs all measurements, writes ``build/bench.json`` and prints a table.

``make bench ARGS="--only overhead --only dynamodb"`` runs some groups. Exit status 1 says that a bar was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import asdict
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import embedded, imports, memory, overhead, repositories  # noqa: E402  # the folder is no installed package
from tests.bench.measure import Measurement  # noqa: E402  # as above
from tests.bench.migration import moving  # noqa: E402  # as above
from tests.bench.servers import comparing, figures, scaling  # noqa: E402  # as above
from tests.bench.servers.rounds import Settings  # noqa: E402  # as above

GROUPS: dict[str, Callable[[Settings], list[Measurement]]] = {
    "imports": lambda _settings: imports.measure(),
    "overhead": lambda _settings: overhead.measure(),
    "embedded": lambda _settings: embedded.measure(),
    "repositories": lambda _settings: repositories.measure(),
    "memory": lambda _settings: memory.measure(),
    "dynamodb": comparing.DYNAMODB.measure,
    "mongodb": comparing.MONGODB.measure,
    "scaling": scaling.measure,
    "migration": moving.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Run the groups and report; the exit status."""
    chosen = _parser().parse_args(arguments)
    settings = Settings(chosen.rounds, chosen.seconds)
    found = [measurement for name in chosen.only or GROUPS for measurement in GROUPS[name](settings)]
    _write(found)
    _print(found)
    if chosen.page:
        figures.publish()
    return 0 if all(measurement.met for measurement in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make bench", description="Measure against the references.")
    parser.add_argument("--only", action="append", choices=GROUPS, help="a group to run; all without it")
    parser.add_argument("--rounds", type=int, default=Settings().rounds, help="rounds on servers that count")
    parser.add_argument("--seconds", type=float, default=Settings().seconds, help="shortest block on a server")
    parser.add_argument("--page", action="store_true", help="put the figures into the documentation")
    return parser


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
    # Away from a terminal the width is unknown, and 80 columns would break each name.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
