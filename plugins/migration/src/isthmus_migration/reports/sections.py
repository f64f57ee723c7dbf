"""The sections of a report for people: what Markdown and HTML have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen

from isthmus_migration.reports.report import Report, Row, shown_time

_HASH: Final = 16
"""So many digits of a plan's hash tell it from others."""
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@frozen
class Section:
    """A titled table.

    :param rows: read once
    :param empty: what to say where there are none
    :param numbers: names of the columns that hold numbers
    """

    title: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]
    empty: str = ""
    numbers: frozenset[str] = frozenset()


def sections(report: Report) -> Iterator[Section]:
    """All sections, in order."""
    yield _summary(report)
    if report.accepted:
        yield _accepted(report)
    yield _tables(report)
    yield _phases(report)
    yield _digests(report)
    yield _verification(report)
    yield _timeline(report)
    yield _listed(
        "Dead letters", ("table", "key", "phase", "code", "reason", "attempts", "status", "found"), report.dead(),
        "No item was set aside.",
    )  # fmt: skip
    yield _listed(
        "Differences", ("table", "key", "kind", "paths", "status", "found"), report.mismatches(),
        "No verification has named an item that differs.",
    )  # fmt: skip
    yield _listed(
        "Conflicts", ("table", "key", "reason", "found"), report.conflicts(), "No rollback left an item alone."
    )


def plain(cell: object) -> str:
    """The text of a cell on one line, in which nothing steers a terminal or turns the direction of writing."""
    return _STEERING.sub(lambda found: " " if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", str(cell))


def _summary(report: Report) -> Section:
    summary, found = report.summary(), report.found
    notes = [("note", note) for note in summary.pop("notes")]
    summary["images"] = "kept" if summary["images"] else "not kept"
    waiting = [
        ("open dead letters", found.dead), ("open differences", found.mismatches), ("conflicts", found.conflicts),
    ]  # fmt: skip
    rows = [*((name.replace("_", " "), value) for name, value in summary.items()), *waiting, *notes]
    return Section("Summary", ("what", "value"), rows)


def _accepted(report: Report) -> Section:
    columns = ("time", "plan", "before", "what differs", "copied before")
    rows = [
        (shown_time(one.at), one.plan[:_HASH], one.former[:_HASH], "; ".join(one.differences),
         "; ".join(table.text for table in one.tables))
        for one in report.accepted
    ]  # fmt: skip
    return Section("Plans accepted since", columns, rows)


def _tables(report: Report) -> Section:
    columns = ("table", "into", "read", "written", "unchanged", "skipped", "dead", "sent again", "throttled")
    rows = [
        (one.table, one.target, one.read, one.written, one.unchanged, one.skipped, one.dead, one.retried, one.throttled)
        for one in report.tables
    ]
    return Section("Tables", columns, rows, numbers=frozenset(columns[2:]))


def _phases(report: Report) -> Section:
    columns = ("phase", "units", "finished", "items", "runs", "seconds", "items/s")
    paces = {pace.phase: pace for pace in report.course.paces}
    rows: list[tuple[Any, ...]] = []
    for figures in report.phases:
        pace = paces.get(figures.phase)
        speed = (pace.runs, f"{pace.seconds:.1f}", f"{pace.rate:,.0f}") if pace else ("", "", "")
        rows.append((figures.phase, figures.units, figures.units_done, figures.items, *speed))
    return Section("Phases", columns, rows, "Nothing has begun.", frozenset(columns[1:]))


def _digests(report: Report) -> Section:
    columns = ("table", "phase", "side", "items", "digest")
    return _listed("Digests", columns, report.digests(), "None were taken yet.", frozenset({"items"}))


def _verification(report: Report) -> Section:
    found = report.verification
    names = ("table", "expected", "found", "missing", "changed", "extra", "dead", "kept", "others", "expired",
             "unreadable", "sampled")  # fmt: skip
    rows = [
        (*(_or_empty(table[_FIELDS.get(name, name)]) for name in names), _verdict(table))
        for table in (found or {"tables": []})["tables"]
    ]
    done = "" if found is None else f" by {found['level']}{'' if found['finished'] else ', not finished'}"
    columns = (*names, "verdict")
    return Section(f"Verification{done}", columns, rows, "Nothing was compared yet.", frozenset(names[1:]))


_FIELDS: Final = {"expected": "source_items", "found": "target_items"}


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def _verdict(table: Row) -> str:
    former = len(table["former_units"])
    told = [f"{former:,} units were copied under a former plan, or a part of each"] if former else []
    return "; ".join(["equal" if table["equal"] else "DIFFERENT", *table["facts"], *told])


def _timeline(report: Report) -> Section:
    rows = ((event["time"], event["code"], event.get("state", ""), _further(event)) for event in report.timeline())
    return Section("Timeline", ("time", "event", "state", "what"), rows, "Nothing has happened yet.")


def _further(event: Row) -> str:
    known = ("id", "time", "level", "code", "state")
    return ", ".join(
        f"{name} {value}" for name, value in event.items() if name not in known and value not in ("", None)
    )


def _listed(
    title: str, columns: tuple[str, ...], rows: Iterable[Row], empty: str, numbers: frozenset[str] = frozenset()
) -> Section:
    cells = (tuple(_cell(row[column]) for column in columns) for row in rows)
    return Section(title, columns, cells, empty, numbers)


def _cell(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
