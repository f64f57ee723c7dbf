"""Entities and their items (rules REP-1, REP-2, REP-4 and REP-10)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen

from isthmus import Model, Repository
from isthmus.errors import InvalidStoredValue
from isthmus_conformance.base import fresh_name
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.base import MakeRepository, RepositorySuite
from isthmus_conformance.suites.repositories.people import Everything, User


class EntitySuite(RepositorySuite):
    """Entities and their items."""

    @pytest.fixture
    def things(self, make_repository: MakeRepository) -> Repository[Everything]:
        """One table for all examples."""
        return make_repository(Everything, people.everything_model())

    @rule("REP-1", "REP-2")
    @given(share=0.3, entities=people.everythings())
    def test_entities_come_back_equal(self, things: Repository[Everything], entities: Everything) -> None:
        """Whatever their fields hold, through every read."""
        things.put(entities)
        found = [things.get("1"), things.query(id="1").one(), things.get_many(["1"])[0]]
        assert [[type(one) for one in found], found] == [[Everything] * 3, [entities] * 3]

    @rule("REP-1", "REP-5")
    @given(share=0.2, entities=people.everythings())
    def test_conditions_find_what_they_are_of(self, things: Repository[Everything], entities: Everything) -> None:
        """A constant is stored as its field is."""
        things.put(entities)
        same = things.query(id="1").where(
            lambda one: (one.number == entities.number) & (one.amount == entities.amount)
            & (one.truth == entities.truth) & (one.moment == entities.moment) & (one.day >= entities.day)
            & (one.reference == entities.reference)
            & (one.colour == entities.colour) & (one.perhaps == entities.perhaps) & (one.words == entities.words)
            & (one.days == entities.days) & (one.place == entities.place) & (one.place.city == entities.place.city)
        )  # fmt: skip
        assert [same.count(), things.query(id="1").where(lambda one: one.moment > entities.moment).count()] == [1, 0]

    @rule("REP-2")
    def test_nothing_is_stored_for_none(self, users: Repository[User]) -> None:
        """Nor for an empty set, nor for a version that was never counted."""
        users.create(User("acme", "1", "a@x"))
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        assert stored == {
            "pk": "ORG#acme", "sk": "USER#1", "org": "acme", "id": "1", "email": "a@x", "age": 0, "type": "user",
            "version": 1,
        }  # fmt: skip

    @rule("REP-4")
    def test_what_does_not_fit_is_told(self, users: Repository[User]) -> None:
        """Field, stored type and wanted type, but never the value."""
        wrong: list[tuple[dict[str, Any], list[str]]] = [
            ({"age": "secret"}, ["'age'", "User", "a string", "int"]), ({"age": Decimal("1.5")}, ["a number", "int"]),
            ({"email": None}, ["'email'", "a null", "str"]), ({"tags": frozenset({1})}, ["'tags", "a number", "str"]),
            ({"tags": "secret"}, ["'tags'", "a string", "frozenset[str]"]),
        ]  # fmt: skip
        reads: list[Callable[[], Any]] = [lambda: users.get("acme", "1"), lambda: users.query(org="acme").first()]
        for stored, told in wrong:
            users.table.put({**users.to_item(User("acme", "1", "a@x")), **stored})
            for read in reads:
                with pytest.raises(InvalidStoredValue) as caught:
                    read()
                assert [part for part in [*told, "secret"] if part not in str(caught.value)] == ["secret"]
            users.table.delete(pk="ORG#acme", sk="USER#1")

    @rule("REP-10")
    def test_older_shapes_are_upgraded_when_read(self, make_repository: MakeRepository) -> None:
        """And stored so when the entity is saved; what nobody knows is kept."""
        people_ = make_repository(Named, Model(fresh_name(), "id", shape=2, upgrade=_split_name))
        old = {"id": "1", "name": "Ann Lee", "extra": 1}
        people_.table.put(old)
        ann = people_.get("1")
        assert [ann, people_.table.get(id="1")] == [Named("1", "Ann", "Lee"), old]
        people_.save(ann)
        assert people_.table.get(id="1") == {"id": "1", "first": "Ann", "last": "Lee", "extra": 1, "shape": 2}

    @rule("REP-10")
    def test_later_shapes_are_refused(self, make_repository: MakeRepository) -> None:
        """An older program must not take them for its own."""
        people_ = make_repository(Named, Model(fresh_name(), "id", shape=2, upgrade=_split_name))
        people_.table.put({"id": "1", "first": "Ann", "last": "Lee", "shape": 3})
        with pytest.raises(InvalidStoredValue):
            people_.get("1")


@frozen
class Named:
    """Once had one name."""

    id: str
    first: str
    last: str


def _split_name(item: dict[str, Any]) -> dict[str, Any]:
    first, last = item.pop("name").split()
    return {**item, "first": first, "last": last}
