"""A report as one HTML page that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from isthmus_migration.reports.plots import rate_plot
from isthmus_migration.reports.report import Report
from isthmus_migration.reports.sections import Section, plain, sections

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2329; --paper: #fdfdfc; --soft: #69727d; --line: #dde1e5; --mark: #1f6f8b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe4e8; --paper: #14181c; --soft: #929ca7; --line: #303840; --mark: #6cc0dc; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 30rem; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 45rem; width: 100%; display: block; margin-top: 1rem; }
svg text { fill: var(--soft); font-size: 11px; }
.axis { stroke: var(--line); } .rate { stroke: var(--mark); stroke-width: 1.5; fill: none; }
"""
_NUMBER: Final = ' class="number"'
# Even if something were not escaped, nothing could be loaded or run.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def html_page(report: Report) -> Iterator[str]:
    """The page in pieces."""
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Migration report</title><style>{_STYLE}</style></head><body>\n<h1>Migration report</h1>\n"
    )
    for section in sections(report):
        yield f"<h2>{escape(section.title)}</h2>\n"
        yield from _body(section)
        if section.title == "Phases":
            yield rate_plot(report.course.points) + "\n"
    yield "</body></html>\n"


def _body(section: Section) -> Iterator[str]:
    rows = iter(section.rows)
    first = next(rows, None)
    if first is None:
        yield f"<p>{escape(section.empty)}</p>\n"
        return
    yield '<div class="scroll"><table><thead>'
    yield _row(section, section.columns, "th")
    yield "</thead><tbody>\n"
    yield _row(section, first, "td")
    for row in rows:
        yield _row(section, row, "td")
    yield "</tbody></table></div>\n"


def _row(section: Section, cells: Sequence[Any], tag: str) -> str:
    pairs = zip(section.columns, cells, strict=True)
    return "<tr>" + "".join(_cell(cell, tag, number=name in section.numbers) for name, cell in pairs) + "</tr>\n"


def _cell(cell: Any, tag: str, *, number: bool) -> str:
    text = f"{cell:,}" if number and isinstance(cell, int) else plain(cell)
    return f"<{tag}{_NUMBER if number else ''}>{escape(text)}</{tag}>"
