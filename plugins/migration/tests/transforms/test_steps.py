"""Renaming, splitting, merging, computing and dropping of attributes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from isthmus.errors import ConfigurationError
from isthmus.values import Item
from plugins.migration.tests.transforms.helpers import compiled, refused, transformed


def test_attributes_exchange_their_names() -> None:
    """All renames happen at once."""
    assert transformed({"a": 1, "b": 2}, rename={"a": "b", "b": "a"}) == {"b": 1, "a": 2}


def test_nested_attributes_are_renamed_and_moved() -> None:
    """Old paths are those of the source's item, and maps that are missing are made."""
    result = transformed(
        {"address": {"zip": "x", "city": "y"}, "lat": 1},
        rename={"address": "home", "address.zip": "home.postcode", "lat": "home.place.latitude"},
    )
    assert result == {"home": {"city": "y", "postcode": "x", "place": {"latitude": 1}}}


def test_attributes_of_the_elements_of_lists_are_renamed() -> None:
    """Where an element is no map or lacks the attribute it stays as it is."""
    result = transformed({"lines": [{"qty": 1}, {"q": 2}, 3]}, rename={"lines[].qty": "lines[].quantity"})
    assert result == {"lines": [{"quantity": 1}, {"q": 2}, 3]}


def test_names_with_dots_are_quoted() -> None:
    """A quoted name is one name."""
    assert transformed({"a.b": 1, "a": {"b": 2}}, rename={'"a.b"': '"c.d"'}) == {"c.d": 1, "a": {"b": 2}}


def test_an_existing_attribute_is_never_overwritten() -> None:
    """A rename onto an attribute that an item has refuses that item, with both places named."""
    assert transformed({"a": 1}, rename={"a": "b"}) == {"b": 1}
    error = refused({"a": 1, "b": 2}, rename={"a": "b"})
    assert (error.code, error.path) == ("attribute_exists", ("b",))


def test_nothing_is_put_into_what_is_no_map() -> None:
    """The path of the wrong parent is told."""
    error = refused({"a": 1, "b": "text"}, rename={"a": "b.c"})
    assert (error.code, error.path) == ("wrong_type", ("b",))


def test_dropped_attributes_are_left_out() -> None:
    """At the top, in maps and in elements of lists; a missing one is none to drop."""
    item = {"a": 1, "b": {"c": 1, "d": 2}, "l": [{"x": 1, "y": 2}], "k": 1}
    assert transformed(item, drop=["a", "b.c", "l[].x", "nothing"]) == {"b": {"d": 2}, "l": [{"y": 2}], "k": 1}


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ({"separator": "-"}, "FR-75"),
        ({"pattern": "([A-Z]+)-([0-9]+)"}, "FR-75"),
        ({"at": [2]}, "FR75"),
        ({}, ["FR", "75"]),
    ],
)
def test_an_attribute_is_split(way: dict[str, object], value: object) -> None:
    """By a separator, a pattern, positions, or as a list."""
    result = transformed({"code": value}, split={"code": {"into": ["country", "part"], **way}})
    assert result == {"country": "FR", "part": "75"}


@pytest.mark.parametrize(
    ("way", "value", "code"),
    [
        ({"separator": "-"}, "FR-75-01", "wrong_shape"),
        ({"separator": "-"}, 75, "wrong_type"),
        ({"pattern": "([A-Z]+)-([0-9]+)"}, "FR-x", "wrong_shape"),
        ({"at": [2]}, "F", "wrong_shape"),
        ({}, ["FR"], "wrong_shape"),
        ({}, [None, "FR"], "wrong_shape"),
    ],
)
def test_what_has_other_parts_is_not_split(way: dict[str, object], value: object, code: str) -> None:
    """No part is lost or left empty."""
    error = refused({"code": value}, split={"code": {"into": ["country", "part"], **way}})
    assert (error.code, error.path) == (code, ("code",))


def test_a_group_without_a_match_leaves_its_attribute_out() -> None:
    """A pattern may have optional groups."""
    declared = {"code": {"into": ["country", "part"], "pattern": "([A-Z]+)(?:-([0-9]+))?"}}
    assert transformed({"code": "FR"}, split=declared) == {"country": "FR"}


def test_what_is_split_may_stay() -> None:
    """Parts never share a list with what they were made of."""
    declared = {"pair": {"into": ["a", "b"], "keep": True}}
    result = transformed({"pair": [[1], [2]]}, split=declared, types={"a[]": "text"})
    assert result == {"pair": [[1], [2]], "a": ["1"], "b": [2]}


def test_attributes_are_merged() -> None:
    """Into text, a list or a map, in whose place they are."""
    item = {"a": "x", "b": 2, "n": {"c": Decimal("1.5")}}
    assert transformed(item, merge={"t": {"of": ["a", "b", "n.c"], "separator": "/"}}) == {"t": "x/2/1.5", "n": {}}
    assert transformed(item, merge={"t": ["a", "b"]}) == {"t": ["x", 2], "n": {"c": Decimal("1.5")}}
    assert transformed(item, merge={"a": {"of": {"p": "a", "q": "n"}, "keep": False}}) == {
        "a": {"p": "x", "q": {"c": Decimal("1.5")}},
        "b": 2,
    }


def test_a_missing_part_of_a_merge_is_declared() -> None:
    """Otherwise the item is refused; with nothing to merge there is no new attribute."""
    error = refused({"a": "x"}, merge={"t": ["a", "b"]})
    assert (error.code, error.path) == ("attribute_missing", ("b",))
    declared = {"t": {"of": ["a", "b"], "separator": " ", "missing": "leave_out"}}
    assert transformed({"a": "x"}, merge=declared) == {"t": "x"}
    assert transformed({}, merge=declared) == {}


def test_only_text_and_numbers_are_merged_to_text() -> None:
    """The type of what can't be is told, not its value."""
    error = refused({"a": "x", "b": ["secret"]}, merge={"t": {"of": ["a", "b"], "separator": " "}})
    assert (error.code, error.path) == ("wrong_type", ("t",))
    assert "secret" not in str(error)


def test_attributes_are_computed() -> None:
    """From templates, constants and copies; all of them of the item as it was."""
    result = transformed(
        {"first": "A", "n": 2, "tags": ["x"]},
        compute={
            "full": "{first} {{{n}}} {tags[0]}",
            "kind": "person",
            "rate": {"value": 1.5},
            "again": {"copy": "tags"},
        },
    )
    assert result == {
        "first": "A", "n": 2, "tags": ["x"], "full": "A {2} x", "kind": "person", "rate": Decimal("1.5"),
        "again": ["x"],
    }  # fmt: skip


def test_a_copy_is_a_copy() -> None:
    """What is done to it is not done to what it was made of."""
    result = transformed({"tags": [1]}, compute={"texts": {"copy": "tags"}}, types={"texts[]": "text"})
    assert result == {"tags": [1], "texts": ["1"]}


def test_a_computed_attribute_replaces_one_only_where_that_is_declared() -> None:
    """It may be made of what it replaces."""
    assert refused({"a": "x"}, compute={"a": "{a}!"}).code == "attribute_exists"
    assert transformed({"a": "x"}, compute={"a": {"template": "{a}!", "replace": True}}) == {"a": "x!"}


def test_what_a_computed_attribute_is_made_of_may_be_missing_where_declared() -> None:
    """Otherwise the item is refused."""
    assert refused({}, compute={"a": "{b}"}).path == ("b",)
    assert transformed({}, compute={"a": {"template": "{b}", "missing": "leave_out"}}) == {}


def test_steps_follow_each_other() -> None:
    """Rename, split, merge, compute, types, drop, whatever the order of the declaration."""
    result = transformed(
        {"p": "1,2,x", "junk": "3"},
        drop=["rest"],
        types={"sum": "number"},
        compute={"sum": "{lat}{pair[0]}"},
        merge={"pair": ["lng", "scrap"]},
        split={"place": {"into": ["lat", "lng", "rest"], "separator": ","}},
        rename={"p": "place", "junk": "scrap"},
    )
    assert result == {"lat": "1", "pair": ["2", "3"], "sum": 12}


def test_a_filter_leaves_items_out() -> None:
    """Only items for which it holds go on; without other steps they are the same objects."""
    transform = compiled(filter='population >= 10 and name.begins_with("P")')
    item: Item = {"id": "1", "population": 10, "name": "Paris"}
    assert transform(item) is item
    assert transform({"id": "2", "population": 9, "name": "Paris"}) is None
    assert not transform.identity


def test_nothing_to_do_is_known() -> None:
    """The identity gives each item back as it is."""
    item: Item = {"id": "1", "a": [1]}
    assert compiled().identity
    assert compiled()(item) is item
    assert compiled(into="others").identity
    assert not compiled(keys=["a"]).identity


def test_a_result_that_is_not_portable_is_refused() -> None:
    """A name that Isthmus reserves can't be made, and the reason is told."""
    error = refused({"a": 1}, rename={"a": "__a"})
    assert (error.code, "reserved" in error.reason) == ("invalid_value", True)


def test_an_item_without_the_key_of_the_target_is_refused() -> None:
    """Missing, or of another type than the key."""
    keys = [{"name": "number", "type": "number"}]
    assert compiled(keys=keys, rename={"id": "number"}, types={"number": "number"})({"id": "7"}) == {"number": 7}
    assert refused({"a": 1}, keys=["b"], drop=["a"]).code == "invalid_key"
    assert refused({"b": 1}, keys=["b"], rename={"a": "c"}).path == ("b",)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"drop": ["id"]}, "key attribute 'id'"),
        ({"rename": {"id": "inner.id"}}, "key attribute 'id'"),
        ({"split": {"id": {"into": ["a", "b"], "separator": "-"}}}, "key attribute 'id'"),
        ({"types": {"id": "set"}}, "a type that no key has"),
        ({"keys": ["a"], "drop": ["a"]}, "key attribute 'a'"),
    ],
)
def test_a_target_without_its_key_is_refused(declared: dict[str, object], told: str) -> None:
    """Before any item is read."""
    with pytest.raises(ConfigurationError, match=told):
        compiled(**declared)
