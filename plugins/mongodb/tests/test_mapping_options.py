"""What a mapping may say, and what is refused when a database is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus import Index
from isthmus.config import load_settings
from isthmus.errors import ConfigurationError
from isthmus_mongodb.mappings import CollectionMapping, MappedKey, path_parts, read_mapping
from isthmus_mongodb.options import read_options

URL = urlsplit("mongodb://localhost:27017/shop")


def problems_of(mapping: Any) -> tuple[str, ...]:
    """What is wrong with a mapping of ``orders``."""
    with pytest.raises(ConfigurationError) as caught:
        read_options(URL, {"mappings": {"orders": mapping}})
    return tuple(caught.value.problems)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({}, "partition_key is missing"),
        ({"partition_key": "_id", "objectids": ["_id"]}, "the field 'objectids' is unknown: did you mean object_ids?"),
        ({"partition_key": "_id", "dates": "created"}, "dates is a list of paths"),
        ({"partition_key": "_id", "dates": [5]}, "dates is a list of paths"),
        ({"partition_key": "_id", "dates": ["a..b"]}, "'a..b' is no path"),
        ({"partition_key": "_id", "sets": ["a[0]"]}, "'a[0]' is no path"),
        ({"partition_key": "_id", "dates": ["a"], "object_ids": ["a"]}, "'a' is declared with another meaning too"),
        ({"partition_key": "_id", "dates": ["a"], "object_ids": ["a.b"]}, "is declared with another meaning too"),
        ({"partition_key": 5}, "partition_key is the name of a field, or a table"),
        ({"partition_key": {"field": "_id", "kind": "x"}}, "partition_key: the part 'kind' is unknown"),
        ({"partition_key": {"field": "_id", "type": "date"}}, "partition_key: type is string, number or binary"),
        ({"partition_key": {"field": "n", "type": "number"}, "dates": ["n"]}, "is a string to programs"),
        ({"partition_key": "t", "sets": ["t"]}, "no set"),
        ({"partition_key": "customer.id"}, "a key is a field at the top of the document, or one right below _id"),
        ({"partition_key": "_id.a", "sort_key": "b"}, "both keys are fields of _id, or none is"),
        ({"partition_key": "_id", "sort_key": "b"}, "leave the sort_key out"),
        ({"partition_key": "a", "sort_key": {"field": "b", "type": "binary"}}, "a binary sort key is refused"),
        ({"partition_key": "a", "object_ids": ["_id"]}, "_id is not shown"),
        ({"partition_key": "_id.a", "dates": ["_id.b"]}, "_id holds the fields of the key and no others"),
        ({"partition_key": "_id", "collection": 5}, "collection is a name, not a int"),
        ({"partition_key": "_id", "indexes": ["state"]}, "indexes is a table of tables"),
        ({"partition_key": "_id", "indexes": {"by-x": {}}}, "index 'by-x': partition_key is missing"),
        ({"partition_key": "_id", "indexes": {"by-x": {"partition_key": 5}}}, "a key is a field's name, or a table"),
        ({"partition_key": "_id", "indexes": {"by-x": {"partition_key": "t"}}, "sets": ["t"]}, "is a set"),
        ({"partition_key": "_id", "ttl": "_id"}, "gives one attribute two roles"),
        ("_id", "the mapping of 'orders' is a table"),
    ],
)
def test_what_is_wrong_is_named(mapping: Any, problem: str) -> None:
    """A ConfigurationError before anything is opened, with the table and the field."""
    (found,) = problems_of(mapping)
    assert "'orders'" in found
    assert problem in found


def test_all_problems_are_told_at_once() -> None:
    """Of every mapping."""
    with pytest.raises(ConfigurationError) as caught:
        read_options(URL, {"mappings": {"one": {"dates": 5}, "two": {"partition_key": "_id", "x": 1}}})
    assert len(caught.value.problems) == 3


def test_mappings_are_no_option_of_the_url() -> None:
    """Text can't hold them."""
    with pytest.raises(ConfigurationError, match="mappings is a table of tables"):
        read_options(URL, {"mappings": "orders"})


def test_a_whole_mapping() -> None:
    """Keys, indexes and the table that programs see."""
    found = read_mapping(
        "orders",
        {
            "collection": "Orders",
            "partition_key": {"field": "_id.c", "name": "customer"},
            "sort_key": {"field": "_id.n", "name": "number", "type": "number"},
            "object_ids": ["_id.c"],
            "indexes": {"by-state": {"partition_key": "state", "sort_key": {"name": "due", "type": "number"}}},
        },
    )
    assert (found.collection, found.shape) == ("Orders", "embedded")
    assert found.keys == (
        MappedKey("customer", "string", ("_id", "c"), "object_id"),
        MappedKey("number", "number", ("_id", "n")),
    )
    assert found.table.indexes == (Index("by-state", "state", ("due", int)),)


def test_the_file_says_the_same_as_code(tmp_path: Path) -> None:
    """A table of TOML is a mapping."""
    file = tmp_path / "isthmus.toml"
    file.write_text(
        '[isthmus]\nurl = "mongodb://localhost/shop"\n[isthmus.mongodb.mappings.orders]\npartition_key = "_id"\n'
        'object_ids = ["_id"]\n[isthmus.mongodb.mappings.orders.indexes.by-state]\npartition_key = "state"\n'
    )
    options = load_settings(config_file=file).backend_options("mongodb")
    found = read_options(URL, options).mappings["orders"]
    code = {"partition_key": "_id", "object_ids": ["_id"], "indexes": {"by-state": {"partition_key": "state"}}}
    assert isinstance(found, CollectionMapping)
    assert found == read_mapping("orders", code)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a.b", ["a", "b"]),
        ("lines[].product", ["lines", "[]", "product"]),
        ("a[][]", ["a", "[]", "[]"]),
        ("", None),
        ("[]", None),
        ("a.", None),
        ("a[", None),
        ("a]", None),
        ("a[]b", None),
    ],
)
def test_paths(text: str, parts: list[str] | None) -> None:
    """Names with dots, and brackets for the elements of an array."""
    assert path_parts(text) == parts
