from __future__ import annotations

import json

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run


def test_get_prints_an_item_as_portable_json(command: Run, cities: isthmus.BoundTable) -> None:
    """Sets and binary values survive ``get --json``."""
    found = command("get", URL, cities.name, "FR", "2", "--json")
    assert (
        found.code,
        json.loads(found.out),
    ) == (0, {"country": "FR", "id": 2, "name": "Lyon", "population": 520_000, "raw": {"$binary": "AP8="}})


def test_get_prints_json_for_people_too(command: Run, cities: isthmus.BoundTable) -> None:
    """The form for people, an attribute on each line, is the same JSON."""
    plain, compact = command("get", URL, cities.name, "FR", "1"), command("get", URL, cities.name, "FR", "1", "--json")
    assert json.loads(compact.out) == json.loads(plain.out)


def test_get_takes_named_key_attributes_in_any_order(command: Run, cities: isthmus.BoundTable) -> None:
    """``name=value`` stands for itself."""
    assert command("get", URL, cities.name, "FR", "2").out == command("get", URL, cities.name, "id=2", "country=FR").out


def test_get_selects_attributes(command: Run, cities: isthmus.BoundTable) -> None:
    """``--select`` leaves the rest out."""
    found = command("get", URL, cities.name, "DE", "3", "--select", "name,population", "--json")
    assert json.loads(found.out) == {"name": "Köln", "population": 1_080_000}


@pytest.mark.parametrize("words", [("FR", "two"), ("FR",), ("FR", "1", "x"), ("", "1")])
def test_get_refuses_a_wrong_key(command: Run, cities: isthmus.BoundTable, words: tuple[str, ...]) -> None:
    """A key of another type or length is wrong use: exit code 2 and the code of the error."""
    found = command("get", URL, cities.name, *words, "--json")
    assert (found.code, found.out, json.loads(found.err)["error"]["code"]) == (2, "", "invalid_key")


def test_get_of_a_missing_item_ends_with_1(command: Run, cities: isthmus.BoundTable) -> None:
    """There is no such item: exit code 1, nothing on standard output."""
    found = command("get", URL, cities.name, "FR", "99", "--json")
    assert (found.code, found.out, json.loads(found.err)["error"]["code"]) == (1, "", "item_not_found")


def test_an_unknown_table_ends_with_1(command: Run, cities: isthmus.BoundTable) -> None:
    """The message names the table."""
    found = command("get", URL, cities.name + "x", "FR", "1")
    assert (found.code, "'citiesx'" in found.err) == (1, True)


def test_an_unknown_scheme_names_the_package(command: Run) -> None:
    """A backend that is not installed is a matter of configuration, and the message says what to install."""
    found = command("get", "nosuchstore://x", "cities", "FR", "1")
    assert (found.code, "isthmus-nosuchstore" in found.err) == (3, True)


def test_put_writes_an_item_without_loss(command: Run, cities: isthmus.BoundTable) -> None:
    """Tags for sets and binary values are understood."""
    text = '{"country":"IT","id":4,"tags":{"$set":["a","b"]},"raw":{"$binary":"AP8="},"x":1.10}'
    assert command("put", URL, cities.name, text).code == 0
    item = cities.get(country="IT", id=4)
    assert (frozenset({"a", "b"}), b"\x00\xff", "1.1") == (item["tags"], item["raw"], str(item["x"]))


def test_put_reads_standard_input(command: Run, cities: isthmus.BoundTable) -> None:
    """- stands for standard input."""
    assert command("put", URL, cities.name, "-", stdin='{"country":"IT","id":5}\n').code == 0
    assert cities.get(country="IT", id=5) == {"country": "IT", "id": 5}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "invalid_value"),
        ("[]", "invalid_value"),
        ('{"country":"FR"}', "invalid_key"),
        ('{"country":"FR","id":"7"}', "invalid_key"),
        ('{"country":"FR","id":7,"x":NaN}', "invalid_value"),
        ('{"country":"FR","id":7,"population":"many"}', "invalid_key"),
    ],
)
def test_put_refuses_what_is_no_item(command: Run, cities: isthmus.BoundTable, text: str, code: str) -> None:
    """Nothing is written, and the error has its code."""
    found = command("put", URL, cities.name, text, "--json")
    assert (2, code, None) == (found.code, json.loads(found.err)["error"]["code"], cities.find(country="FR", id=7))


def test_put_create_refuses_an_item_that_is_there(command: Run, cities: isthmus.BoundTable) -> None:
    """``--create`` never replaces."""
    found = command("put", URL, cities.name, '{"country":"FR","id":1}', "--create")
    assert (found.code, cities.get(country="FR", id=1)["name"]) == (1, "Paris")


def test_put_when_refuses_under_a_false_condition(command: Run, cities: isthmus.BoundTable) -> None:
    """``--when`` is judged against the stored item."""
    found = command("put", URL, cities.name, '{"country":"FR","id":1}', "--when", 'name == "Lyon"', "--json")
    assert (found.code, json.loads(found.err)["error"]["code"]) == (1, "condition_failed")
    assert cities.get(country="FR", id=1)["name"] == "Paris"


CHANGE_LYON = ("put", URL, "cities", '{"country":"FR","id":2}', "--when", 'name == "Nice"')


@pytest.mark.usefixtures("cities")
def test_put_when_shows_the_current_item(command: Run) -> None:
    """Whoever asked for a condition sees the item that it is false for, without loss."""
    error = json.loads(command(*CHANGE_LYON, "--json").err)["error"]
    current = {"country": "FR", "id": 2, "name": "Lyon", "population": 520_000, "raw": {"$binary": "AP8="}}
    assert (error["current"], error["message"]) == (current, "the condition is false: see the current item")
    lines = command(*CHANGE_LYON).err.splitlines()
    assert lines[0] == "error: the condition is false: see the current item"
    assert json.loads(lines[1].removeprefix("  current item: ")) == current


def test_put_when_says_that_there_is_no_item(command: Run, cities: isthmus.BoundTable) -> None:
    """The condition is false for an item that is not there."""
    cities.delete(country="FR", id=2)
    found = command(*CHANGE_LYON)
    assert (found.code, found.err) == (1, "error: the condition is false: the item does not exist\n")
    assert json.loads(command(*CHANGE_LYON, "--json").err)["error"]["current"] is None


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize(
    ("words", "table", "advice"),
    [
        (("get", URL, "cities", "FR", "99"), "cities", "`isthmus scan`"),
        (("scan", URL, "nope"), "nope", "`isthmus tables create`"),
        (("put", URL, "cities", '{"country":"FR","id":1}', "--create"), "cities", "leave out --create"),
    ],
)
def test_advice_is_for_a_shell(command: Run, words: tuple[str, ...], table: str, advice: str) -> None:
    """What the library advises a program to call is replaced by what to type, and the origin is told."""
    error = json.loads(command(*words, "--json").err)["error"]
    assert (advice in error["message"], "()" in error["message"]) == (True, False)
    assert (error["backend"], error["table"], error["operation"] is None) == ("memory", table, False)
