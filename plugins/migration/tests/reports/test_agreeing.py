"""The three forms of a report of a migration in which everything went wrong: they are well-formed, and they agree."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.migration import Migration
from isthmus_migration.reports.sections import plain
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite
from plugins.migration.tests.reports.helpers import HOSTILE
from plugins.migration.tests.verification.helpers import change, verified

Rows = list[list[str]]
STEERING = "\x1b[31m\u202e\x9b\u2028 red"
VOID = {"meta", "line", "path"}


def refusing(item: dict[str, Any]) -> dict[str, Any]:
    """A transform that tells what it was given."""
    if item["n"] == 7:
        raise ValueError(HOSTILE + STEERING)
    return item


class Page(HTMLParser):
    """The titled tables of a page; it fails where a tag is closed that is not the innermost one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: dict[str, Rows] = {}
        self._title = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self._title = ""
        elif tag == "tr":
            self.tables.setdefault(self._title, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._title][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self._title += data
        elif self.open and self.open[-1] in ("td", "th"):
            self.tables[self._title][-1][-1] += data


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Migration:
    """A verified copy with a dead letter, a difference of each kind and hostile keys."""
    folder = tmp_path_factory.mktemp("told")
    fill(sqlite(folder, "a"), [*numbered(0, 40), {"id": HOSTILE + STEERING, "n": -1}])
    transform = Transform(function=f"{__name__}:refusing")
    migration = Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=2, transforms={"things": transform}
    )
    assert run(migration).finished
    change(folder, put=[{"id": "k00009", "n": 0}, {"id": "extra <i>"}], delete=["k00011", HOSTILE + STEERING])
    assert verified(migration, "full").total.mismatches == 4
    return migration


def _markdown(text: str) -> dict[str, Rows]:
    tables: dict[str, Rows] = {}
    title = ""
    for line in text.split("\n"):
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("|") and not line.startswith("| ---"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            tables.setdefault(title, []).append([_shown(cell.strip()) for cell in cells])
    return tables


def _shown(cell: str) -> str:
    text = re.sub(r"\\([\\`*_\[\]|~#])", r"\1", cell)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _number(cell: str) -> str:
    return cell.replace(",", "") if re.fullmatch(r"[\d,]+", cell) else cell.strip()


def test_page_and_markdown_say_the_same(told: Migration) -> None:
    """All tables with all their cells, but for the commas in numbers."""
    page, text = Page(told.report("html")), told.report("md")
    assert page.open == []
    left = {title: [[_number(cell) for cell in row] for row in rows] for title, rows in page.tables.items()}
    right = {title: [[_number(cell) for cell in row] for row in rows] for title, rows in _markdown(text).items()}
    del left["Summary"][1], right["Summary"][1]  # when each was made
    assert left == right
    assert {"Tables", "Phases", "Digests", "Verification by full", "Dead letters", "Differences"} <= set(left)


def test_the_json_agrees_with_them(told: Migration) -> None:
    """Numbers of items, of dead letters, and what the verification found."""
    data, tables = json.loads(told.report("json")), Page(told.report("html")).tables
    (counts,) = tables["Tables"][1:]
    assert counts[2:7] == [str(data["tables"][0][name]) for name in ("read", "written", "unchanged", "skipped", "dead")]
    (verified_table,), (found,) = data["verification"]["tables"], tables["Verification by full"][1:]
    names = ("source_items", "target_items", "missing", "changed", "extra", "dead")
    assert found[1:7] == [str(verified_table[name]) for name in names] == ["40", "39", "2", "1", "1", "1"]
    assert (found[-1], verified_table["equal"]) == ("DIFFERENT", False)
    for title, name in (("Dead letters", "dead"), ("Differences", "mismatches"), ("Timeline", "timeline")):
        assert len(tables[title]) - 1 == len(data[name]) > 0
    assert [row[1] for row in tables["Differences"][1:]] == [plain(one["key"]) for one in data["mismatches"]]


@pytest.mark.parametrize("form", ["md", "html"])
def test_nothing_steers_a_terminal_or_turns_the_text(told: Migration, form: str) -> None:
    """Control characters in keys, and in what a transform says, are shown by their numbers."""
    text = told.report(form)
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text) is None
    assert "u202e" in text


def test_a_count_that_differs_is_in_the_report(tmp_path: Path) -> None:
    """No key is named, and yet it does not say that all is well."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    change(tmp_path, delete=["k00011"])
    assert not verified(migration, "count").equal
    (row,) = Page(migration.report("html")).tables["Verification by count"][1:]
    assert (row[1], row[2], row[-1]) == ("20", "19", "DIFFERENT")
