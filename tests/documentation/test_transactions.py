"""What the page about transactions promises is what the code has and the isolation tests check."""

from __future__ import annotations

import re
import tomllib

from attrs import fields_dict

from isthmus.fallback.options import FallbackOptions
from tests.documentation.blocks import ROOT, blocks
from tests.isolation.test_histories import SERIALIZABLE
from tests.isolation.test_pages import ONE_MOMENT

PAGE = ROOT / "docs" / "explanation" / "transactions.md"
TEXT = PAGE.read_text("utf-8")


def _table(heading: str) -> dict[str, dict[str, str]]:
    """Rows by their first cell, and cells by the column's name, of the table whose first column has this heading."""
    lines = TEXT[TEXT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    head, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows[1:]}


def test_the_tables_say_yes_or_no() -> None:
    """Each cell of both tables of anomalies answers."""
    tables = [_table("anomaly"), _table("anomaly in queries, scans and counts")]
    cells = [cell for table in tables for row in table.values() for cell in row.values()]
    assert len(cells) == 7 * 3 + 7 * 5
    assert [cell for cell in cells if not re.match(r"(yes|no|only)\b", cell)] == []


def test_pages_of_one_moment_are_those_that_are_tested() -> None:
    """No backend is said to have them without a test."""
    row = _table("anomaly in queries, scans and counts")["half-visible transaction on one page"]
    assert [name for name, cell in row.items() if cell == "no"] == list(ONE_MOMENT)


def test_only_dynamodb_is_less_than_strict() -> None:
    """The histories of all other stores are checked for the order of time too."""
    assert {"dynamodb"} == SERIALIZABLE
    assert "On all but DynamoDB" in TEXT


def test_settings_are_shown_with_their_defaults() -> None:
    """Each setting of the core's transactions has a row, and the file that is shown holds defaults."""
    shown = next(tomllib.loads(block.text) for block in blocks(PAGE) if block.language == "toml")["isthmus"]["fallback"]
    defaults = {name: option.default for name, option in fields_dict(FallbackOptions).items()}
    assert len(shown) > 5
    assert shown == {name: defaults[name] for name in shown}
    assert list(_table("setting")) == [f"`{name}`" for name in defaults]
