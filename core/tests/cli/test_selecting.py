from __future__ import annotations

import json

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run


def _names(text: str) -> list[str]:
    return [json.loads(line)["name"] for line in text.splitlines()]


def test_query_prints_a_line_for_each_item_in_order(command: Run, cities: isthmus.BoundTable) -> None:
    """The sort key decides the order."""
    assert _names(command("query", URL, cities.name, "country=FR").out) == ["Paris", "Lyon"]


def test_query_reads_an_index_in_descending_order(command: Run, cities: isthmus.BoundTable) -> None:
    """``--index`` and ``--descending`` go together."""
    options = ("--index", "by_population", "--descending")
    assert _names(command("query", URL, cities.name, "country=FR", *options).out) == ["Paris", "Lyon"]
    assert _names(command("query", URL, cities.name, "country=FR", *options[:2]).out) == ["Lyon", "Paris"]


def test_query_narrows_by_the_sort_key(command: Run, cities: isthmus.BoundTable) -> None:
    """A sort key among the words is an equality, parsed as the schema says."""
    assert _names(command("query", URL, cities.name, "country=FR", "id=2").out) == ["Lyon"]


def test_query_filters(command: Run, cities: isthmus.BoundTable) -> None:
    """``--where`` keeps what fulfils the condition."""
    assert _names(command("query", URL, cities.name, "country=FR", "--where", '"Paname" in names').out) == ["Paris"]


def test_query_as_json_is_one_document(command: Run, cities: isthmus.BoundTable) -> None:
    """Items, their number and the cursor."""
    found = command("query", URL, cities.name, "country=DE", "--select", "name", "--json")
    assert json.loads(found.out) == {"items": [{"name": "Köln"}], "count": 1, "cursor": None}


def test_cursors_lead_through_all_pages(command: Run, cities: isthmus.BoundTable) -> None:
    """The cursor of a page, given back with the same query, leads to the next one and ends."""
    page = ("query", URL, cities.name, "country=FR", "--page-size", "1", "--json")
    first = json.loads(command(*page).out)
    second = json.loads(command(*page, "--cursor", first["cursor"]).out)
    assert (
        [item["name"] for item in first["items"]],
        [item["name"] for item in second["items"]],
        second["cursor"],
    ) == (["Paris"], ["Lyon"], None)


def test_a_cursor_of_another_query_is_refused(command: Run, cities: isthmus.BoundTable) -> None:
    """Exit code 2, and the error says whose cursor it is."""
    shape = ("--page-size", "1", "--json")
    cursor = json.loads(command("query", URL, cities.name, "country=FR", *shape).out)["cursor"]
    found = command("query", URL, cities.name, "country=DE", *shape, "--cursor", cursor)
    assert (found.code, json.loads(found.err)["error"]["code"]) == (2, "invalid_cursor")


@pytest.mark.parametrize("options", [("--cursor", "x"), ("--page-size", "1", "--limit", "1"), ("--page-size", "0")])
def test_page_options_that_make_no_sense_are_refused(
    command: Run, cities: isthmus.BoundTable, options: tuple[str, ...]
) -> None:
    """A cursor needs a page, and a page has a size of its own."""
    found = command("scan", URL, cities.name, *options, "--json")
    assert (found.code, json.loads(found.err)["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize("words", [(), ("id=1",), ("name=Paris",), ("FR",), ("country=FR", "id=x")])
def test_query_refuses_what_is_no_key(command: Run, cities: isthmus.BoundTable, words: tuple[str, ...]) -> None:
    """A query names its partition key, and values have the key's type."""
    found = command("query", URL, cities.name, *words)
    assert (found.code, found.out) == (2, "")


def test_scan_limits(command: Run, cities: isthmus.BoundTable) -> None:
    """``--limit`` counts printed items."""
    assert len(command("scan", URL, cities.name, "--limit", "2").out.splitlines()) == 2


def test_a_table_for_people_shows_data_as_it_is(command: Run, cities: isthmus.BoundTable) -> None:
    """Text in brackets is data, not a style."""
    cities.put({"country": "XX", "id": 9, "name": "[red]x[/red]"})
    assert "[red]x[/red]" in command("scan", URL, cities.name, "--table").out


@pytest.mark.parametrize(("words", "number"), [((), 3), (("country=FR",), 2), (("--where", "population > 1000000"), 2)])
def test_count_counts(command: Run, cities: isthmus.BoundTable, words: tuple[str, ...], number: int) -> None:
    """Of the table, of a partition, and under a condition."""
    assert {"count": number} == json.loads(command("count", URL, cities.name, *words, "--json").out)
