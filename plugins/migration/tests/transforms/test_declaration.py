"""Declarations: what is wrong with them is told at once; as data they come back as they were."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import ConfigurationError
from isthmus.schema import Key, Table
from isthmus_migration.transforms import Computed, Transform, TypeOf, read_mapping, read_mapping_file

WHOLE = """
[tables.cities]
filter = "population > 0"
rename = { pop = "population", "lines[].q" = "lines[].quantity" }
drop = ["junk", '"a.b".c']
types.tags = { type = "set", duplicates = "drop", empty = "leave_out" }
types.seen = { type = "date", unit = "seconds" }
function = "package.module:name"
keys = ["country", { name = "id", type = "number" }]
into = "places"

[tables.cities.split]
latlng = { into = ["lat", "lng"], separator = "," }
code = { into = ["head", "tail"], at = [2], keep = true }

[tables.cities.merge]
full = { of = ["first", "last"], separator = " " }
place = { of = { latitude = "lat", longitude = "lng" } }

[tables.cities.compute]
label = "{name} ({country})"
rate = { value = 1.2345678901234567890123456789 }
copied = { copy = "tags[0]", missing = "leave_out" }

[tables.others]
schema = { name = "elsewhere", partition_key = { name = "pk", type = "binary" } }
"""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"filter": ["a = 1"]}, "filter: is text in the language of --where"),
        ({"function": "json:loads", "function_hash": ""}, "function_hash: is the hexadecimal text"),
        ({"renam": {}}, "no field 'renam': did you mean 'rename'"),
        ({"rename": {"a": "x", "b": '"x"'}}, "x is made twice, by rename of a and by rename of b"),
        ({"rename": {"a": "x"}, "compute": {"x": "c"}}, "x is made twice"),
        ({"rename": {"a": "x"}, "drop": ["x"]}, "x is made by rename of a and dropped"),
        ({"rename": {"a": "a"}}, "rename.a: is renamed to itself"),
        ({"rename": {"a": "b[0]"}}, "rename.a: b[0]: an element of a list can't be named here"),
        ({"rename": {"a[].b": "c[].b"}}, "can't move between elements of lists"),
        ({"rename": {"a[]": "b"}}, "can't move between elements of lists"),
        ({"rename": {"a": 1}}, "rename.a: a path is text"),
        ({"rename": ["a"]}, "rename: is a table"),
        ({"types": {"a": "sett"}}, "types.a: type 'sett' is unknown: did you mean 'set'"),
        ({"types": {"a": {"type": "set", "duplicate": "drop"}}}, "types.a: there is no field 'duplicate'"),
        ({"types": {"a": {"type": "number", "unit": "seconds"}}}, "unit belongs to the type date"),
        ({"types": {"a..b": "set"}}, "is no path at column 2"),
        ({"types": {"": "set"}}, "a path is text"),
        ({"drop": "a"}, "drop: is a list"),
        ({"drop": ["a[]"]}, "drop the list"),
        ({"compute": {"a": {"value": 1, "copy": "b"}}}, "exactly one of template, value and copy"),
        ({"compute": {"a": "{b"}}, "compute.a: the template has a lone brace at column 1"),
        ({"compute": {"a": {"json": "{"}}}, "compute.a"),
        ({"compute": {"a[]": "x"}}, "[] can't stand here"),
        ({"split": {"a": {"into": ["x"], "separator": ",", "at": [1]}}}, "one of separator, pattern and at"),
        ({"split": {"a": {"into": ["x", "y"], "pattern": "(.)"}}}, "1 groups for 2 attributes"),
        ({"split": {"a": {"into": ["x"], "pattern": "("}}}, "no regular expression"),
        ({"split": {"a": {"into": ["x", "y"], "at": [0]}}}, "rising positions"),
        ({"split": {"a": {"separator": ","}}}, "split.a"),
        ({"merge": {"a": {"of": {"x": "b"}, "separator": ","}}}, "a map has none"),
        ({"merge": {"a": []}}, "names the attributes that it takes"),
        ({"filter": "a >"}, "filter: the condition can't be read"),
        ({"function": "os.system"}, "function: a function is named as package.module:name"),
        ({"function": "a:b()"}, "function: a function is named as package.module:name"),
        ({"function": "__main__:f"}, "workers can't import the main program"),
        ({"keys": ["a", "b", "c"]}, "a partition key and at most a sort key"),
        ({"keys": [{"name": "a", "type": "list"}]}, "keys: "),
        ({"into": "x"}, "into: "),
        ({"schema": {"name": "places"}}, "schema: is no definition of a table: give what"),
        ({"schema": {"name": "a/b", "partition_key": {"name": "a", "type": "string"}}}, "schema: The table name 'a/b'"),
        (
            {"schema": {"name": "places", "partition_key": {"name": "a", "type": "string"}}, "into": "all"},
            "leave out keys",
        ),
        ("text", "is a table"),
    ],
)
def test_a_wrong_declaration_is_refused(data: Any, told: str) -> None:
    """With the field, the reason and where to look."""
    with pytest.raises(ConfigurationError) as caught:
        Transform.from_dict(data, where="tables.cities")
    assert told in caught.value.message
    assert caught.value.message.startswith("tables.cities")


def test_all_problems_are_told_at_once() -> None:
    """In each table of a file."""
    with pytest.raises(ConfigurationError) as caught:
        read_mapping("[tables.a]\ndrop = 1\ntypes = {x = 'sett'}\n[tables.b]\nrenam = {}\n", where="map.toml")
    assert [problem.split(":")[1].strip() for problem in caught.value.problems] == ["tables.a", "tables.a", "tables.b"]


def test_a_mapping_file_is_read() -> None:
    """Each table has its transform, numbers keep all their digits."""
    transforms = read_mapping(WHOLE)
    cities = transforms["cities"]
    assert cities.types["tags"] == TypeOf("set", duplicates="drop", empty="leave_out")
    assert cities.compute["rate"] == Computed(value=Decimal("1.2345678901234567890123456789"))
    assert cities.keys == ("country", Key("id", "number"))
    assert transforms["others"].schema == Table("elsewhere", Key("pk", "binary"))


@pytest.mark.parametrize("name", ["cities", "others"])
def test_a_transform_comes_back_from_json(name: str) -> None:
    """As it was, whatever the order in which its fields were written."""
    transform = read_mapping(WHOLE)[name]
    text = json.dumps(transform.to_dict(), sort_keys=True)
    assert Transform.from_dict(json.loads(text)) == transform


def test_constants_that_json_does_not_know_come_back() -> None:
    """Sets, binary values and exact numbers."""
    constants = (frozenset({1, 2}), b"\xff", Decimal("1.50"), {"a": [None]}, "text {x}", True, None)
    transform = Transform(compute={f"a{place}": Computed(value=value) for place, value in enumerate(constants)})
    assert Transform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform


def test_mapping_files_that_cant_be_read_are_refused(tmp_path: Path) -> None:
    """No file, no UTF-8, no TOML, another field."""
    path = tmp_path / "map.toml"
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_mapping_file(path)
    for content, told in ((b"\xff", "can't be read"), (b"a = ", "is no TOML"), (b"table = 1", "did you mean 'tables'")):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=told):
            read_mapping_file(path)
    path.write_text("[tables.a]\ndrop = ['x']", encoding="utf-8")
    assert read_mapping_file(path) == {"a": Transform(drop=("x",))}
