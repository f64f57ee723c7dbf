from __future__ import annotations

import json
from pathlib import Path

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run
from isthmus.cli.exit_codes import ExitCode


@pytest.fixture
def people(databases: object, command: Run) -> isthmus.BoundTable:  # noqa: ARG001  # the command sees the table
    """Two items as they should be and one whose expiry is a text."""
    table = isthmus.connect(URL).table("people", partition_key="id", ttl="expires").ensure()
    table.put_many([{"id": "a"}, {"id": "b", "expires": "a secret"}, {"id": "c"}]).raise_for_failures()
    return table


def test_a_clean_table_exits_with_0(command: Run, cities: isthmus.BoundTable) -> None:
    """And says how many items were looked at."""
    ran = command("validate", URL, cities.name)
    assert (ran.code, ran.out, ran.err) == (0, "3 items of cities, 0 deviate\n", "")


def test_a_deviation_is_printed_with_its_key(command: Run, people: isthmus.BoundTable) -> None:
    """And has an exit code of its own; the value is never printed."""
    ran = command("validate", URL, people.name)
    assert ran.code == ExitCode.DEVIATING
    assert ran.out.splitlines() == [
        """{"id":"b"}: 'expires' is the expiry time: stored is string, declared number""",
        "3 items of people, 1 deviate (1 ttl)",
    ]


def test_json_lines_and_a_summary(command: Run, people: isthmus.BoundTable) -> None:
    """One object for each deviation, then the summary."""
    *lines, last = command("validate", URL, people.name, "--json").out.splitlines()
    assert [json.loads(line)["key"] for line in lines] == [{"id": "b"}]
    summary = json.loads(last)["summary"]
    assert (summary["items"], summary["deviating"], summary["kinds"], summary["cursor"]) == (3, 1, {"ttl": 1}, None)


def test_a_definition_of_another_kind(command: Run, people: isthmus.BoundTable, tmp_path: Path) -> None:
    """A file declares what the stored definition doesn't."""
    file = tmp_path / "people.json"
    file.write_text(json.dumps({**people.schema.to_dict(), "ttl": None, "version": "version"}))
    ran = command("validate", URL, people.name, "--definition", str(file), "--json")
    assert json.loads(ran.out.splitlines()[-1])["summary"]["kinds"] == {"version": 3}


def test_a_part_and_the_rest(command: Run, people: isthmus.BoundTable) -> None:
    """The cursor of the first part leads to the rest."""
    part = command("validate", URL, people.name, "--limit", "2", "--json")
    cursor = json.loads(part.out.splitlines()[-1])["summary"]["cursor"]
    shown = command("validate", URL, people.name, "--limit", "2")
    assert shown.out.splitlines()[-1] == f"go on with --after {cursor}"
    rest = command("validate", URL, people.name, "--after", cursor)
    assert rest.out.endswith("1 items of people, 0 deviate\n")


def test_own_limits(command: Run, people: isthmus.BoundTable) -> None:
    """A wide number is a deviation by the portable limits alone."""
    people.update(id="b", set={"expires": 5_000_000_000, "wide": 10**36 + 1})
    assert command("validate", URL, people.name).code == ExitCode.DEVIATING
    assert command("validate", URL, people.name, "--own-limits").code == ExitCode.OK


def test_interrupted_work_says_where_to_go_on(
    command: Run, people: isthmus.BoundTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two pages leaves a cursor."""
    people.put_many([{"id": f"more-{number}", "expires": "x"} for number in range(600)]).raise_for_failures()
    pages = 0

    def interrupting(self: isthmus.Database, operation: object, execute=isthmus.Database.execute) -> object:  # type: ignore[no-untyped-def]  # noqa: ANN001
        nonlocal pages
        pages += 1
        if pages == 3:  # the definition, the first page, the second page
            raise KeyboardInterrupt
        return execute(self, operation)

    monkeypatch.setattr(isthmus.Database, "execute", interrupting)
    ran = command("validate", URL, people.name)
    assert ran.code == ExitCode.INTERRUPTED
    assert "go on with --after " in ran.err


def test_an_unknown_table(command: Run) -> None:
    """Exits like every command that finds nothing."""
    assert command("validate", URL, "nobody").code == ExitCode.NO


MODULE = """
import attrs
from isthmus.repository import Model

number = 5

@attrs.define
class City:
    __isthmus__ = Model(table="cities", partition_key="name")
    name: str
    people: int
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current directory."""
    (tmp_path / "city_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "city_models"


def test_the_command_takes_a_class(module: str, command: Run) -> None:
    """And prints what doesn't fit it."""
    cities = isthmus.connect("memory://models").table("cities", partition_key="name").ensure()
    cities.put_many([{"name": "Rome", "people": 3}, {"name": "Oslo", "people": "few"}]).raise_for_failures()
    ran = command("validate", "memory://models", "cities", "--model", f"{module}:City")
    assert (ran.code, ran.out.splitlines()) == (7, [
        """{"name":"Oslo"}: field 'people' of City takes int, and a string is stored""",
        "2 items of cities, 1 deviate (1 model)",
    ])  # fmt: skip


@pytest.mark.parametrize("model", ["City", ":City", "city_models:Town", "nowhere:City", "city_models:number"])
def test_a_class_that_is_not_there(module: str, command: Run, model: str) -> None:  # noqa: ARG001  # the models' place
    """Is wrong use, and says which."""
    isthmus.connect("memory://models").table("cities", partition_key="name").ensure()
    ran = command("validate", "memory://models", "cities", "--model", model)
    assert (ran.code, f"--model {model}" in ran.err) == (2, True)
