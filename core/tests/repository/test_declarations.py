"""What a model derives, and what it refuses (rules REP-3, REP-6)."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, frozen

import isthmus
from core.tests.repository.people import Event, Note, User
from isthmus import Database, Index, Key, Model, Table
from isthmus.errors import InvalidArgument
from isthmus.repository.registry import registry_of


@define
class Thing:
    """A key and two values."""

    id: str
    number: int = 0
    other: str | None = None


@frozen
class Other:
    """Another class."""

    id: str


@pytest.fixture
def database() -> Any:
    """An empty one."""
    with isthmus.connect("memory://") as opened:
        yield opened


def test_the_derived_table(database: Database) -> None:
    """Templates have key attributes of their own, fields are their own."""
    assert database.repository(User).schema == Table(
        "users", "pk", "sk", [Index("by_badge", "by_badge_pk", "email")], version="version", created_at="created_at",
        updated_at="updated_at",
    )  # fmt: skip
    numbers = database.repository(Thing, model=Model("things", "number", "id"))
    assert numbers.schema == Table("things", Key("number", "number"), "id")


def test_ensure_makes_both_tables(database: Database) -> None:
    """The second one keeps unique values."""
    users = database.repository(User).ensure().ensure()
    database.repository(Note).ensure()
    assert database.tables.list() == ["notes", "users", "users-unique"]
    users.drop()
    assert database.tables.list() == ["notes"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (("t-1", "name"), "'name' is no field of Thing"),
        (("t-1", "X#{name}"), "'name' in the template"),
        (("t-1", "X#"), "'X#' is no field"),
        (("t-1", "X#{}"), "in the template"),
        (("t-1", "{id"), "names no field"),
        (("t-1", "{id}{number}"), "nothing between"),
        (("t-1", "other"), "may be None"),
        (("t-1", "id", "id"), "both keys"),
        (("t-1", "id", "{other}"), "may be None"),
        (("t_é", "id"), "table name"),
    ],
    ids=repr,
)
def test_keys_are_refused(database: Database, model: Any, told: str) -> None:
    """With the reason."""
    with pytest.raises(InvalidArgument, match=told):
        database.repository(Thing, model=Model(*model))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"unique": ["name"]}, "names 'name', which is none of its fields"),
        ({"names": {"name": "x"}}, "names 'name'"),
        ({"names": {"number": "id"}}, "two things as 'id'"),
        ({"names": {"number": "__x"}}, "reserved"),
        ({"discriminator": "x", "discriminator_attribute": "number"}, "two things as 'number'"),
        ({"shape": 1, "shape_attribute": "type", "discriminator": "x"}, "two things as 'type'"),
        ({"ttl": "other"}, "can't be an expiry time"),
        ({"version": "id"}, "two roles"),
        ({"version": "other"}, "counts versions: declare it as int"),
        ({"timestamps": ("number", "x")}, "is a timestamp"),
    ],
    ids=repr,
)
def test_options_are_refused(database: Database, options: Any, told: str) -> None:
    """With the reason."""
    with pytest.raises(InvalidArgument, match=told):
        database.repository(Thing, model=Model("things", "id", **options))


@pytest.mark.parametrize(
    "wrong",
    [
        {"unique": "email"}, {"shape": 0}, {"shape": True}, {"upgrade": 1}, {"indexes": ["x"]}, {"partition_key": 1},
        {"sort_key": 1}, {"discriminator_attribute": "__x"}, {"unique": ["a", "a"]}, {"unique": [()]},
        {"unique": [("a", "a")]},
    ],
    ids=repr,
)  # fmt: skip
def test_models_are_refused(wrong: Any) -> None:
    """When they are made."""
    with pytest.raises(InvalidArgument):
        Model(**{"table": "things", "partition_key": "id", **wrong})


@pytest.mark.parametrize("kind", [Thing, int, "Thing"], ids=str)
def test_a_class_without_keys_is_refused(database: Database, kind: Any) -> None:
    """A model of a base class does not count either."""
    with pytest.raises(InvalidArgument, match="has no keys"):
        database.repository(kind)


def test_what_is_no_attrs_class_is_refused(database: Database) -> None:
    """Whatever its model says."""
    with pytest.raises(InvalidArgument, match="dict is no attrs class"):
        database.repository(dict, model=Model("things", "id"))


def test_one_discriminator_for_two_classes_is_refused(database: Database) -> None:
    """In one table; in two it is no conflict."""
    database.repository(Thing, model=Model("things", "id", discriminator="x"))
    database.repository(Other, model=Model("others", "id", discriminator="x"))
    with pytest.raises(InvalidArgument, match="Other and Thing have the same discriminator"):
        database.repository(Other, model=Model("things", "id", discriminator="x"))


def test_one_table_declared_in_two_ways_is_refused(database: Database) -> None:
    """What they share is given by one Table object."""
    database.repository(Thing, model=Model("things", "id", discriminator="thing"))
    with pytest.raises(InvalidArgument, match=r"declare table 'things' differently: .*version"):
        database.repository(Other, model=Model("things", "id", discriminator="other", version="v"))


def test_a_given_table_has_to_fit(database: Database) -> None:
    """In its keys, indexes, expiry and version."""
    table = Table("things", "pk", Key("n", "number"), [Index("by_x", "x")])
    fits = database.repository(Thing, model=Model(table, "T#{id}", "number", indexes=[Index("by_x", "other")]))
    assert fits.to_item(Thing("1", 2, "o")) == {"id": "1", "number": 2, "other": "o", "pk": "T#1", "n": 2, "x": "o"}
    for keys, options in [
        (("T#{id}",), {}), (("T#{id}", "id"), {}), (("T#{id}", "number"), {"version": "v"}),
        (("T#{id}", "number"), {"ttl": "number"}), (("T#{id}", "number"), {"indexes": [Index("by_y", "other")]}),
        (("T#{id}", "number"), {"indexes": [Index("by_x", "number")]}),
    ]:  # fmt: skip
        with pytest.raises(InvalidArgument):
            database.repository(Thing, model=Model(table, *keys, **options))  # type: ignore[arg-type]  # of different types


def test_equal_models_are_understood_once(database: Database) -> None:
    """A model that is made for each call costs no memory."""
    for _call in range(3):
        database.repository(Thing, model=Model("things", "id", unique=["number"]))
    assert len(registry_of(database._pipeline)._mappers[Thing]) == 1


def test_views_share_what_they_know(database: Database) -> None:
    """An entity that one view of a database loaded, another one saves."""
    users = database.bind(actor="ann").repository(User).ensure()
    ann = users.create(User("acme", "1", "a@x"))
    ann.nick = "Annie"
    assert database.repository(User).save(ann).version == 2


def test_different_values_never_make_one_key(database: Database) -> None:
    """A value that holds what separates it from the next is refused."""
    events = database.repository(Event)
    for kind in ("a#b", "a#", "#"):
        with pytest.raises(InvalidArgument, match="'kind' holds '#'"):
            events.query(room="r", kind=kind)
    things = database.repository(Thing, model=Model("things", "{id}##{number}"))
    with pytest.raises(InvalidArgument, match="'id' holds"):
        things.to_item(Thing("a#", 1))
    assert things.to_item(Thing("a#b", 1))["pk"] == "a#b##1"
