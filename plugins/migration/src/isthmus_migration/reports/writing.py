"""Reports in their three formats: as text, and as files in the work directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from isthmus.errors import InvalidArgument
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.plans.plan import Plan
from isthmus_migration.reports.markdown import markdown
from isthmus_migration.reports.page import html_page
from isthmus_migration.reports.report import Report


def json_report(report: Report) -> Iterator[str]:
    """The report as one JSON document, in pieces; long lists are never whole in memory."""
    head = {
        **report.summary(), "accepted": [one.to_dict() for one in report.accepted],
        "tables": [table.to_dict() for table in report.tables],
        "phases": [figures.to_dict() for figures in report.phases],
        "paces": [pace.to_dict() for pace in report.course.paces], "digests": report.digests(),
        "verification": report.verification,
    }  # fmt: skip
    yield _dumped(head)[:-1]
    lists = {
        "timeline": report.timeline, "dead": report.dead, "mismatches": report.mismatches,
        "conflicts": report.conflicts,
    }  # fmt: skip
    for name, rows in lists.items():
        yield f',\n"{name}": ['
        yield from _joined(map(_dumped, rows()))
        yield "]"
    yield "}\n"


def _joined(texts: Iterable[str]) -> Iterator[str]:
    for position, text in enumerate(texts):
        yield f",\n{text}" if position else text


def _dumped(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)


FORMATS: Final[dict[str, Callable[[Report], Iterator[str]]]] = {
    "md": markdown,
    "json": json_report,
    "html": html_page,
}


def write_report(report: Report, form: str, stream: IO[str]) -> None:
    """Write a report.

    :param form: ``md``, ``json`` or ``html``
    """
    stream.writelines(FORMATS[form](report))


def report_text(report: Report, form: str) -> str:
    """A report as text.

    :raises InvalidArgument: there is no such form
    """
    if form not in FORMATS:
        raise InvalidArgument(f"there is no form {form!r} of reports: choose {', '.join(FORMATS)}")
    return "".join(FORMATS[form](report))


def write_reports(work: WorkDirectory, plan: Plan, journal: Journal) -> list[Path]:
    """Write ``report.md``, ``report.json`` and ``report.html`` into the work directory.

    :raises OSError: there is no room for them; the former ones stay
    """
    report = Report.of(work, plan, journal)
    return [_written(work.path / f"report.{form}", report, form) for form in FORMATS]


def _written(path: Path, report: Report, form: str) -> Path:
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogatepass") as stream:
            write_report(report, form, stream)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
