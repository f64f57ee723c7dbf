from __future__ import annotations

import json
from pathlib import Path

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run
from isthmus import copying


def test_an_export_restores_the_table(command: Run, cities: isthmus.BoundTable, tmp_path: Path) -> None:
    """Items and definition come back without loss, also sets and binary values."""
    data, definition = tmp_path / "cities.jsonl", tmp_path / "cities.json"
    assert command("tables", "export", URL, cities.name, str(data)).code == 0
    definition.write_text(command("tables", "describe", URL, cities.name, "--json").out)
    operands = ("memory://b", cities.name, str(data))
    imported = command("tables", "import", *operands, "--definition", str(definition), "--json")
    assert json.loads(imported.out) == {"written": 3, "expired": 0}
    restored = isthmus.connect("memory://b").tables.open(cities.name)
    assert copying.digest_table(cities) == copying.digest_table(restored)


def test_export_to_standard_output_prints_nothing_else(command: Run, cities: isthmus.BoundTable) -> None:
    """- gives the lines alone."""
    found = command("tables", "export", URL, cities.name, "-")
    assert {"Paris", "Lyon", "Köln"} == {json.loads(line)["name"] for line in found.out.splitlines()}


def test_export_refuses_an_existing_file(command: Run, cities: isthmus.BoundTable, tmp_path: Path) -> None:
    """The file stays as it was, unless ``--force`` is given."""
    file = tmp_path / "x.jsonl"
    file.write_text("mine")
    assert (command("tables", "export", URL, cities.name, str(file)).code, file.read_text()) == (1, "mine")
    assert command("tables", "export", URL, cities.name, str(file), "--force").code == 0
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3


def test_import_creates_a_table_from_keys(command: Run) -> None:
    """``--partition-key`` and ``--sort-key`` declare a plain table."""
    lines = '{"a":"x","b":1}\n\n{"a":"x","b":2}\n'
    keys = ("--partition-key", "a", "--sort-key", "b:number")
    assert command("tables", "import", URL, "things", "-", *keys, stdin=lines).code == 0
    assert [item["b"] for item in isthmus.connect(URL).tables.open("things").query(a="x")] == [1, 2]


def test_of_two_lines_with_one_key_the_later_stays(command: Run, cities: isthmus.BoundTable) -> None:
    """Lines are written in order, although a batch takes no key twice."""
    lines = "".join(f'{{"country":"IT","id":1,"n":{number}}}\n' for number in range(3))
    assert command("tables", "import", URL, cities.name, "-", stdin=lines).code == 0
    assert cities.get(country="IT", id=1)["n"] == 2


@pytest.mark.parametrize(
    "line",
    ["{", "[1]", '{"country":"IT"}', '{"country":"IT","id":"4"}', '{"country":"IT","id":4,"x":{"$set":[1,1]}}',
     '{"country":"IT","id":4,"x":"\\ud800"}', '{"country":"IT","id":4,"x":1,"x":2}'],
)  # fmt: skip
def test_a_bad_line_is_named_with_its_file(command: Run, cities: isthmus.BoundTable, tmp_path: Path, line: str) -> None:
    """File and line number begin the message; the batches before were written, the line's own was not."""
    file = tmp_path / "bad.jsonl"
    good = "".join(f'{{"country":"IT","id":{number}}}\n' for number in range(1, 4))
    file.write_text(good + line + "\n")
    found = command("tables", "import", URL, cities.name, str(file), "--batch", "2")
    assert (found.code, f"{file}:4: " in found.err, "2 items were written before" in found.err) == (2, True, True)
    assert [item["id"] for item in cities.query(country="IT")] == [1, 2]


def test_a_failed_import_as_json_is_one_object(command: Run, cities: isthmus.BoundTable) -> None:
    """How many items were written is a field of the error."""
    lines = '{"country":"IT","id":1}\n{"country":"IT","id":2}\n{\n'
    ended = command("tables", "import", URL, cities.name, "-", "--batch", "1", "--json", stdin=lines)
    error = json.loads(ended.err)["error"]
    assert (error["code"], error["written"]) == ("invalid_value", 1)


def test_an_interrupted_import_says_what_was_written(
    command: Run, cities: isthmus.BoundTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves nobody in doubt, in both forms."""

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.cli.lines.write_items", interrupt)
    ended = command("tables", "import", URL, cities.name, "-")
    assert (ended.code, ended.err) == (130, "interrupted\n  0 items were written before this\n")
    ended = command("tables", "import", URL, cities.name, "-", "--json")
    expected = {"code": "interrupted", "message": "interrupted", "written": 0}
    assert (ended.code, json.loads(ended.err)["error"]) == (130, expected)


def test_bytes_that_are_no_text_are_named_with_their_line(
    command: Run, cities: isthmus.BoundTable, tmp_path: Path
) -> None:
    """A file in another encoding gives no traceback."""
    file = tmp_path / "latin1.jsonl"
    file.write_bytes(b'{"country":"IT","id":1}\n{"country":"IT","id":2,"x":"\xe9"}\n')
    found = command("tables", "import", URL, cities.name, str(file))
    assert (found.code, f"{file}:2: " in found.err) == (2, True)


def test_a_missing_file_is_wrong_use(command: Run, cities: isthmus.BoundTable) -> None:
    """Exit code 2, naming the file."""
    found = command("tables", "import", URL, cities.name, "nowhere.jsonl")
    assert (found.code, "nowhere.jsonl can't be read" in found.err) == (2, True)


def test_import_keeps_versions(command: Run) -> None:
    """What Isthmus maintains is taken as it is, so an export comes back unchanged."""
    table = isthmus.connect(URL).table("versioned", partition_key="id", versioned=True).ensure()
    assert command("tables", "import", URL, "versioned", "-", stdin='{"id":"a","version":7}\n').code == 0
    assert table.get(id="a")["version"] == 7
