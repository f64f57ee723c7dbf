from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.migration import Migration
from isthmus_migration.reports.markdown import escaped
from isthmus_migration.reports.page import html_page
from isthmus_migration.reports.report import Report
from isthmus_migration.reports.writing import FORMATS, json_report, write_reports
from plugins.migration.tests.reports.helpers import HOSTILE, SECRET_VALUE, fill, migration, report_of

KEY = json.dumps({"id": HOSTILE})


class Page(HTMLParser):
    """The tags and the text of a page, as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def planned(tmp_path: Path) -> Migration:
    """A migration with one of everything under a hostile key."""
    planned = migration(tmp_path)
    fill(planned, KEY)
    return planned


def _data(planned: Migration) -> dict[str, Any]:
    with report_of(planned) as report:
        data: dict[str, Any] = json.loads("".join(json_report(report)))
        return data


def test_the_json_has_everything_by_name(planned: Migration) -> None:
    """Counts, digests, states with times, and each dead letter, difference and conflict with its key."""
    data = _data(planned)
    assert [event["state"] for event in data["timeline"]] == ["copying", "copied"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"]) for event in data["timeline"])
    assert (data["state"], data["tables"][0]["read"], data["tables"][0]["written"]) == ("copied", 10, 9)
    assert data["digests"][0]["items"] == 1
    (dead,), (mismatch,), (conflict,) = data["dead"], data["mismatches"], data["conflicts"]
    assert (dead["key"], dead["phase"], dead["code"], dead["reason"], dead["attempts"]) == (
        KEY, "write", "item_too_large", "401 KB are too much", 1,
    )  # fmt: skip
    assert (mismatch["key"], mismatch["kind"], mismatch["paths"]) == (KEY, "changed", [f"size.{HOSTILE}"])
    assert (conflict["key"], conflict["reason"]) == (KEY, "changed")


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_has_values(planned: Migration, form: str) -> None:
    """Originals of dead letters and details of differences stay in the journal; the key is there."""
    with report_of(planned) as report:
        text = "".join(FORMATS[form](report))
    assert "item_too_large" in text.replace("\\", "")
    assert SECRET_VALUE not in text


def test_the_page_shows_hostile_keys_as_text(planned: Migration) -> None:
    """A key that looks like a script is text; the page has no tag that could load or run anything."""
    with report_of(planned) as report:
        page = Page("".join(html_page(report)))
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "table", "thead", "tbody", "tr",
        "th", "td", "svg", "line", "text", "path",
    }  # fmt: skip
    assert page.texts.count(KEY) == 3


def test_markdown_shows_hostile_keys_as_text(planned: Migration) -> None:
    """Each row stays one row with as many cells as its header, and no HTML or link gets through."""
    with report_of(planned) as report:
        text = "".join(FORMATS["md"](report))
    rows = [line for line in text.splitlines() if line.startswith("| things")]
    assert len([row for row in rows if "script" in row]) == 3
    assert "<script" not in text
    assert re.search(r"(?<!\\)\]\(", text) is None
    cells = {len(re.split(r"(?<!\\)\|", row)) for row in rows if "item\\_too\\_large" in row}
    assert cells == {10}


def test_escaping_keeps_the_text() -> None:
    """What Markdown shows of an escaped text is the text, with spaces for line ends."""
    shown = re.sub(r"\\(.)", r"\1", escaped(HOSTILE)).replace("&lt;", "<").replace("&gt;", ">")
    assert shown == HOSTILE.replace("\n", " ")


def test_a_migration_that_has_not_begun_has_a_report(tmp_path: Path) -> None:
    """It says that nothing has happened."""
    planned = migration(tmp_path)
    with report_of(planned) as report:
        assert "Nothing has happened yet." in "".join(FORMATS["md"](report))


def test_long_lists_are_read_one_by_one(tmp_path: Path) -> None:
    """A report of many dead letters holds a row at a time: nothing is read before it is asked for."""
    planned = migration(tmp_path)
    fill(planned, *(f"{number}" for number in range(500)))

    def pieces(form: Callable[[Report], Iterator[str]], report: Report) -> int:
        return sum(1 for _piece in form(report))

    with report_of(planned) as report:
        assert all(pieces(form, report) > 1_000 for form in FORMATS.values())


def test_a_failed_report_leaves_the_former(planned: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are replaced whole or not at all."""
    with planned.work.journal(writable=False) as journal:
        first, *_others = write_reports(planned.work, planned.the_plan, journal)
        before = first.read_text()

        def full(_report: Report) -> Iterator[str]:
            yield "half"
            raise OSError(28, "No space left on device")

        monkeypatch.setitem(FORMATS, "md", full)
        with pytest.raises(OSError, match="No space left"):
            write_reports(planned.work, planned.the_plan, journal)
    assert first.read_text() == before
    assert not [path for path in planned.work.path.iterdir() if path.name.startswith(".report")]
