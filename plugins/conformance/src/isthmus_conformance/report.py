"""The machine-readable report: which rule was proven on which backend, and its rendering as tables.

``python -m isthmus_conformance.report build/conformance.json --markdown`` prints the tables of the documentation.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import asdict, define, field, frozen

from isthmus_conformance.rules import RULES

FORMAT: Final = 1
_STATUSES: Final = ("failed", "passed", "excused", "unsupported", "skipped", "not run")


@define
class Line:
    """What the tests of one rule did on one backend in one mode.

    :param status: ``failed`` if any failed; ``passed`` if any passed; else ``excused``, ``unsupported`` (by a declared
        capability), ``skipped`` for another reason, or ``not run``
    :param examples: how many generated examples the tests tried; a test without a generator counts none
    """

    rule: str
    backend: str
    version: str
    mode: str
    status: str = "skipped"
    tests: int = 0
    examples: int = 0
    reasons: list[str] = field(factory=list)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Add one test's record."""
        self.status = _joined(self.status, entry["status"]) if self.tests else entry["status"]
        self.tests += 1
        self.examples += entry.get("examples", 0)
        if entry["reason"] and entry["reason"] not in self.reasons:
            self.reasons.append(entry["reason"])


def _joined(first: str, second: str) -> str:
    """One failure fails a rule; otherwise one success proves it."""
    return min(first, second, key=_STATUSES.index)


def _add_not_run(lines: dict[tuple[str, ...], Line]) -> None:
    """A line for each proven rule that no test touched, on each backend and in each mode where others ran."""
    without_backend = {line.rule for line in lines.values() if not line.backend}
    places = {place[1:] for place in lines if place[1]} or {("", "", "")}
    wanted = [name for name, rule in RULES.items() if rule.proven and name not in without_backend]
    for name, (backend, version, mode) in itertools.product(wanted, sorted(places)):
        lines.setdefault((name, backend, version, mode), Line(name, backend, version, mode, "not run"))


Probes = dict[str, dict[str, dict[str, str]]]


def _add_probe(probes: Probes, backend: str, entry: Mapping[str, Any]) -> None:
    capability, level = entry["probed"]
    levels = probes.setdefault(backend, {}).setdefault(capability, {})
    levels[level] = _joined(levels.get(level, entry["status"]), entry["status"])


def _lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(lines)


@frozen
class Report:
    """All lines, and the declared capability levels of each backend.

    :param probes: for each backend, capability and declared level: what the tests did that try whether it is so
    """

    lines: tuple[Line, ...] = field(converter=_lines)
    capabilities: dict[str, dict[str, str]]
    probes: Probes = field(factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]]) -> Report:
        """The report of the tests' records."""
        lines: dict[tuple[str, ...], Line] = {}
        capabilities: dict[str, dict[str, str]] = {}
        probes: Probes = {}
        for entry in entries:
            place = (entry.get("backend", ""), entry.get("version", ""), entry.get("mode", ""))
            if "capabilities" in entry:
                capabilities[place[0]] = entry["capabilities"]
            if "probed" in entry:
                _add_probe(probes, place[0], entry)
            for name in entry["rules"]:
                lines.setdefault((name, *place), Line(name, *place)).take(entry)
        _add_not_run(lines)
        order = {name: number for number, name in enumerate(RULES)}
        ordered = sorted(lines.values(), key=lambda line: (order[line.rule], line.backend, line.mode))
        return cls(ordered, capabilities, probes)

    def save(self, path: str | Path) -> None:
        """Write the report as JSON; missing folders are made."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = [asdict(line) for line in self.lines]
        data = {"format": FORMAT, "lines": lines, "capabilities": self.capabilities, "probes": self.probes}
        target.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a report.

        :raises ValueError: the file is no report of this version of the kit
        """
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"{path} is no conformance report of format {FORMAT}: run pytest --isthmus-report again")
        return cls([Line(**line) for line in data["lines"]], data["capabilities"], data.get("probes", {}))

    def rules_markdown(self) -> str:
        """A table: a row for each rule, a column for each backend."""
        backends = sorted({line.backend for line in self.lines if line.backend})
        rows = [["rule", "what holds", *backends]]
        for name, rule in RULES.items():
            rows.append([name, rule.text, *(self._cell(name, backend, rule.status) for backend in backends)])
        return _table(rows)

    def _cell(self, rule: str, backend: str, status: str) -> str:
        lines = [line for line in self.lines if line.rule == rule and line.backend in (backend, "")]
        if not lines:
            return status if status != "proven" else "not run"
        joined = lines[0].status
        for line in lines[1:]:
            joined = _joined(joined, line.status)
        if joined == "not run":
            return joined
        examples = sum(line.examples for line in lines)
        counts = f"{sum(line.tests for line in lines)} tests" + (f", {examples} examples" if examples else "")
        return f"{joined} ({counts})"

    def capabilities_markdown(self) -> str:
        """A table: a row for each capability, a column for each backend."""
        backends = sorted(self.capabilities)
        names = list(dict.fromkeys(name for backend in backends for name in self.capabilities[backend]))
        return _table(
            [
                ["capability", *backends],
                *([name, *(self.capabilities[b].get(name, "") for b in backends)] for name in names),
            ]
        )

    @property
    def unproven(self) -> list[Line]:
        """The lines of rules whose tests were all skipped, for a reason that the backend did not declare."""
        return [line for line in self.lines if line.status == "skipped"]

    @property
    def not_run(self) -> list[Line]:
        """The lines of proven rules that no test of this run names."""
        return [line for line in self.lines if line.status == "not run"]

    @property
    def failed(self) -> list[Line]:
        """The lines of broken rules."""
        return [line for line in self.lines if line.status == "failed"]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body]) + "\n"


def _summary(report: Report) -> str:
    lines = [f"{line.rule:<8} {line.backend or '-':<10} {line.mode or '-':<6} {line.status:<11} "
             f"{line.tests:>4} tests {line.examples:>7} examples {'; '.join(line.reasons)}".rstrip()
             for line in report.lines]  # fmt: skip
    counts = f"{len(report.failed)} failed, {len(report.unproven)} skipped, {len(report.not_run)} not run"
    return "\n".join([*lines, f"{len(report.lines)} lines, {counts}"]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a report; 1 when a rule is broken, or its tests were skipped without a declared reason."""
    parser = argparse.ArgumentParser(prog="python -m isthmus_conformance.report", description="Print a report.")
    parser.add_argument("path", help="what pytest --isthmus-report wrote")
    parser.add_argument("--markdown", action="store_true", help="the rules as a table")
    parser.add_argument("--capabilities", action="store_true", help="the capability levels as a table")
    parser.add_argument("--complete", action="store_true", help="exit with 1 also when a rule was not run")
    options = parser.parse_args(arguments)
    report = Report.load(options.path)
    if options.markdown:
        sys.stdout.write(report.rules_markdown())
    if options.capabilities:
        sys.stdout.write(report.capabilities_markdown())
    if not (options.markdown or options.capabilities):
        sys.stdout.write(_summary(report))
    return 1 if report.failed or report.unproven or (options.complete and report.not_run) else 0


if __name__ == "__main__":
    raise SystemExit(main())
