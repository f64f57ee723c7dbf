"""The table of the target."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.schema import Index, Key, Table, Unique
from isthmus_migration.transforms import Target, Transform, compile_transform, target_of

SOURCE = Table(
    "cities",
    Key("country"),
    Key("id", "number"),
    indexes=[
        Index("by_population", Key("country"), Key("pop", "number")),
        Index("by_name", "name", None, ["pop", "zip"]),
    ],
    ttl="expires",
    version="version",
    created_at="made",
    updated_at="changed",
    unique=[Unique("name"), Unique(["code", "name"], ("kind", "city"))],
)


def test_everything_is_renamed_along() -> None:
    """Keys, indexes and what they hold, expiry, version, timestamps and constraints."""
    new = {
        "country": "land",
        "pop": "people",
        "expires": "ends",
        "version": "v",
        "made": "born",
        "name": "n",
        "kind": "k",
    }
    assert target_of(Transform(rename=new, into="places"), SOURCE) == Target(
        Table(
            "places",
            Key("land"),
            Key("id", "number"),
            indexes=[
                Index("by_population", Key("land"), Key("people", "number")),
                Index("by_name", "n", None, ["people", "zip"]),
            ],
            ttl="ends",
            version="v",
            created_at="born",
            updated_at="changed",
            unique=[Unique("n"), Unique(["code", "n"], ("k", "city"))],
        )
    )  # fmt: skip


def test_numbers_that_become_something_else_lose_their_role() -> None:
    """Items would never expire, and versions never rise; a number made of text keeps its role."""
    target = target_of(Transform(types={"expires": {"type": "date", "unit": "seconds"}, "version": "text"}), SOURCE)
    assert (target.table.ttl, target.table.version) == (None, None)
    assert target.notes == (
        "ttl is not declared: its attribute 'expires' is no number any more",
        "version is not declared: its attribute 'version' is no number any more",
    )
    assert target_of(Transform(types={"expires": "integer", "version": "number"}), SOURCE) == Target(SOURCE)


def test_what_does_not_stay_is_told() -> None:
    """Indexes, roles and constraints whose attributes are dropped or consumed."""
    transform = Transform(drop=["name", "expires", "zip"], split={"pop": {"into": ["a", "b"], "separator": ","}})
    target = target_of(transform, SOURCE)
    assert (target.table.indexes, target.table.ttl, target.table.unique) == ((), None, ())
    assert [note.split(":")[0].split(" is left out")[0] for note in target.notes] == [
        "ttl is not declared", "index by_population", "index by_name", "unique constraint name",
        "unique constraint code+name of city",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"types": {"kind": "boolean"}}, {"compute": {"kind": {"value": 1, "replace": True}}}]
)
def test_a_constraint_on_a_value_that_becomes_another_one_is_left_out(change: dict[str, Any]) -> None:
    """It would hold for no item any more, and say that it does."""
    target = target_of(Transform(**change), SOURCE)
    assert target.table.unique == (Unique("name"),)
    assert "unique constraint code+name of city is left out" in target.notes[0]


def test_a_projection_loses_what_is_dropped() -> None:
    """The index itself stays."""
    assert target_of(Transform(drop=["zip"]), SOURCE).table.index("by_name").projection == ("pop",)


def test_keys_get_the_types_that_are_declared() -> None:
    """Keys of indexes too; one that becomes a list has no index any more."""
    types = {"id": "text", "pop": "text", "name": "list"}
    target = target_of(Transform(types=types), SOURCE)
    assert target.table.keys == (Key("country"), Key("id", "string"))
    assert target.table.index("by_population").sort_key == Key("pop", "string")
    assert [index.name for index in target.table.indexes] == ["by_population"]


def test_new_keys_are_declared() -> None:
    """A name that was a key keeps its type; one that is consumed by a merge may be a key again."""
    transform = Transform(keys=["id", "country"], merge={"country": {"of": ["country", "region"], "separator": "-"}})
    assert target_of(transform, SOURCE).table.keys == (Key("id", "number"), Key("country"))


def test_a_whole_schema_is_taken_as_it_is() -> None:
    """Nothing of the source's definition is added to it."""
    schema = Table("places", "name")
    assert target_of(Transform(schema=schema), SOURCE) == Target(schema)


@pytest.mark.parametrize(
    ("declared", "changes"),
    [
        ({"rename": {"pop": "people"}, "drop": ["name"], "into": "places"}, False),
        ({"filter": "id > 1"}, False),
        ({"types": {"pop": "text"}}, False),
        ({"rename": {"id": "number"}}, True),
        ({"keys": ["id", "country"]}, True),
        ({"types": {"id": "number"}}, True),
        ({"compute": {"country": {"value": "x", "replace": True}}}, True),
        ({"split": {"code": {"into": ["country", "x"], "at": [2]}}}, True),
    ],
)
def test_whether_keys_may_change_is_known(declared: dict[str, Any], changes: bool) -> None:
    """Where they may, two items can get the same key."""
    assert compile_transform(Transform(**declared), SOURCE).changes_keys is changes
