"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from isthmus_migration.reports.report import Report
from isthmus_migration.reports.sections import Section, plain, sections

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~#])")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def markdown(report: Report) -> Iterator[str]:
    """The report's lines, each with its end."""
    yield "# Migration report\n"
    for section in sections(report):
        yield f"\n## {section.title}\n\n"
        yield from _body(section)


def _body(section: Section) -> Iterator[str]:
    rows = iter(section.rows)
    first = next(rows, None)
    if first is None:
        yield f"{section.empty}\n"
        return
    yield _row(section.columns)
    yield _row("---" for _column in section.columns)
    yield _cells(first)
    yield from map(_cells, rows)


def _cells(row: Sequence[Any]) -> str:
    return _row(escaped(cell) for cell in row)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def escaped(cell: object) -> str:
    """Text that Markdown shows as it is, whatever it holds."""
    return _SPECIAL.sub(r"\\\1", plain(cell).translate(_HTML))
