from __future__ import annotations

import json
from pathlib import Path

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run
from isthmus.errors import TableNotFound


def test_tables_lists_names(command: Run, cities: isthmus.BoundTable) -> None:
    """``isthmus tables URL`` needs no further word."""
    found = command("tables", URL, "--json")
    assert (0, {"tables": [cities.name]}) == (found.code, json.loads(found.out))


def test_create_declares_keys_indexes_and_what_is_maintained(command: Run) -> None:
    """All parts of a definition can be given by options."""
    keys = ("--partition-key", "org", "--sort-key", "id:number", "--index", "by_mail=mail,id:number")
    assert command("tables", "create", URL, "users", *keys, "--ttl", "until", "--versioned", "--timestamps").code == 0
    expected = isthmus.Table(
        "users", "org", ("id", int), [isthmus.Index("by_mail", "mail", ("id", int))], "until", "version",
        "created_at", "updated_at",
    )  # fmt: skip
    assert expected == isthmus.connect(URL).tables.describe("users")


def test_a_description_recreates_the_table(command: Run, cities: isthmus.BoundTable, tmp_path: Path) -> None:
    """``describe --json`` is what ``create --definition`` reads, also under another name."""
    definition = tmp_path / "cities.json"
    definition.write_text(command("tables", "describe", URL, cities.name, "--json").out)
    assert command("tables", "create", "memory://other", "towns", "--definition", str(definition)).code == 0
    stored = isthmus.connect("memory://other").tables.describe("towns")
    assert {**cities.schema.to_dict(), "name": "towns"} == stored.to_dict()


def test_describe_shows_each_part(command: Run, cities: isthmus.BoundTable) -> None:
    """The form for people names keys and indexes."""
    text = command("tables", "describe", URL, cities.name).out
    assert [part in text for part in ("country (string)", "id (number)", "index by_population")] == [True] * 3


def test_create_refuses_another_definition(command: Run, cities: isthmus.BoundTable) -> None:
    """A stored table is never changed."""
    found = command("tables", "create", URL, cities.name, "--partition-key", "x", "--json")
    assert (found.code, json.loads(found.err)["error"]["code"]) == (1, "schema_mismatch")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 2),
        (("--partition-key", "id:float"), 2),
        (("--partition-key", "id", "--index", "x"), 2),
        (("--partition-key", "id", "--definition", "-"), 2),
        (("--definition", "missing.json"), 3),
    ],
)
def test_create_refuses_half_definitions(command: Run, options: tuple[str, ...], code: int) -> None:
    """Nothing is created."""
    assert code == command("tables", "create", URL, "things", *options).code
    assert isthmus.connect(URL).tables.list() == []


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "what\n"])
def test_drop_asks_first(command: Run, cities: isthmus.BoundTable, answer: str) -> None:
    """Anything but yes leaves the table, ends with 1 and says so; so does the end of standard input."""
    ended = command("tables", "drop", URL, cities.name, stdin=answer)
    assert (ended.code, ended.out, ended.err.endswith("[y/N]: nothing was removed\n")) == (1, "", True)
    assert [cities.name] == cities.database.tables.list()


@pytest.mark.parametrize(("options", "answer"), [((), "y\n"), (("--yes",), ""), (("--yes", "--json"), "")])
def test_drop_removes(command: Run, cities: isthmus.BoundTable, options: tuple[str, ...], answer: str) -> None:
    """After a yes, or with ``--yes``."""
    assert command("tables", "drop", URL, cities.name, *options, stdin=answer).code == 0
    with pytest.raises(TableNotFound):
        cities.database.tables.describe(cities.name)


def test_drop_asks_nothing_as_json(command: Run, cities: isthmus.BoundTable) -> None:
    """A program can't answer: it says ``--yes``."""
    ended = command("tables", "drop", URL, cities.name, "--json", stdin="y\n")
    assert (ended.code, json.loads(ended.err)["error"]["code"]) == (2, "usage")
    assert [cities.name] == cities.database.tables.list()
