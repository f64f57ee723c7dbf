"""What commands print for programs is what the reference says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.migration.tests.cli.helpers import Ends, Ran, Run

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "migration-files.md"
INLINE = ("--engine", "inline")


def _rows(heading: str) -> dict[str, set[str]]:
    """The names in each row of the tables of a section, by the names in the row's first cell."""
    section = REFERENCE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in section.splitlines():
        cells = line.strip("|").split(" | ")
        for name in re.findall(r"`([^`]+)`", cells[0]):
            found.setdefault(name, set()).update(re.findall(r"`(\w+)`", " ".join(cells[1:])))
    return found


def _undocumented(events: list[dict[str, Any]]) -> Iterator[str]:
    documented = _rows("Events")
    for event in events:
        rest = event.keys() - {"time", "event", "result"}
        if event["event"] != "result":
            yield from (f"{event['event']}: {name}" for name in rest - documented.get(event["event"], set()))


def _course(ends: Ends, command: Run) -> dict[str, Ran]:
    """A migration from its plan to its rollback, with something to repair; what each command printed."""
    work = ends.workdir
    ran = {"plan": command("migrate", "plan", ends.source, ends.target, "--workdir", work, "--json")}
    ran["plan --sample"] = command("migrate", "plan", ends.source, ends.target, "--sample", "2", "--json")
    ran["run"] = command("migrate", "run", work, *INLINE, "--json")
    ends.change(lambda things: things.delete(id="00001"))
    ran["verify"] = command("migrate", "verify", work, "--level", "full", *INLINE, "--json")
    ran["repair"] = command("migrate", "repair", work, *INLINE, "--json")
    ran["status"] = command("migrate", "status", work, "--json")
    ran["report"] = command("migrate", "report", work, "--json")
    ran["rate"] = command("migrate", "rate", work, "--items", "9", "--json")
    ran["dry run"] = command("migrate", "rollback", work, "--dry-run", "--json")
    ran["rollback"] = command("migrate", "rollback", work, *INLINE, "--items", "1e6", "--yes", "--json")
    return ran


def test_every_name_that_programs_get_is_documented(ends: Ends, command: Run) -> None:
    """Standard output is JSON from its first line to its last, and its names stand in the reference."""
    ran = _course(ends, command)
    assert [one.code for one in ran.values()] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 10]
    events = [event for one in ran.values() for event in _lines(one) if "event" in event]
    assert {"planned", "state", "table_created", "phase", "progress", "ended", "result", "intended"} <= {
        event["event"] for event in events
    }
    assert list(_undocumented(events)) == []
    results, of = _rows("Output for programs"), {name: one.result for name, one in ran.items() if name != "report"}
    assert of["run"].keys() - {"time", "event"} <= results["run"] | results["status"]
    for name in ("status", "verify", "repair", "rollback", "rate", "plan --sample"):
        assert of[name].keys() - {"time", "event"} <= results[name], name
    tables = results["tables"]
    for name in ("status", "verify", "rollback"):
        assert of[name]["tables"][0].keys() <= tables, name
    assert of["verify"]["mismatches"][0].keys() <= results["mismatches"]
    report = json.loads(ran["report"].out)
    assert report.keys() <= results["report"]
    for name in ("mismatches", "paces", "digests", "phases"):
        known = results[name] if name != "phases" else _rows("Events")["progress"]
        assert report[name][0].keys() <= known, name
    assert report["verification"].keys() <= results["verification"]
    assert of["status"]["rates"] is None
    assert of["rate"]["rates"].keys() <= results["rates"]
    assert of["status"]["found"].keys() <= results["found"]


def _lines(ran: Ran) -> list[dict[str, Any]]:
    try:
        return ran.events
    except ValueError:  # a report is one document of several lines
        return [json.loads(ran.out)]


@pytest.mark.parametrize("code", ["waiting", "working_again", "worker_died", "slice_failed", "engine_lost", "dead"])
def test_events_of_trouble_are_documented(code: str) -> None:
    """Those too that no quiet run has."""
    assert code in _rows("Events")
