"""Repositories in units of work (rule REP-12)."""

from __future__ import annotations

import pytest
from attrs import evolve

from isthmus import Capability, Database, Model, Repository
from isthmus.errors import UniqueViolation
from isthmus_conformance.base import requires
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.base import RepositorySuite
from isthmus_conformance.suites.repositories.people import Order, User, moment


class UnitSuite(RepositorySuite):
    """Repositories in units of work."""

    @rule("REP-12", "REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_entities_are_written_together(
        self, users: Repository[User], orders: Repository[Order], database: Database
    ) -> None:
        """A value that one gives up another one takes, in one transaction."""
        users.create(User("acme", "1", "a@x"))
        with database.transaction() as unit:
            inside = unit.repository(User, model=users_model(users))
            ann = inside.get("acme", "1")
            ann.email, ann.age = "b@x", 40
            inside.save(ann)
            inside.create(User("acme", "2", "a@x"))
            unit.repository(Order, model=people.order_model(orders.schema)).put(Order("acme", moment(1), "1"))
            with pytest.raises(UniqueViolation):
                inside.create(User("acme", "3", "b@x"))
        found = sorted((one.id, one.email, one.age, one.version) for one in users.scan())
        assert [found, orders.scan().count()] == [[("1", "b@x", 40, 2), ("2", "a@x", 0, 1)], 1]

    @rule("REP-12", "REP-7")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_nothing_of_a_unit_that_failed_is_stored(self, users: Repository[User], database: Database) -> None:
        """And an entity that was loaded outside is saved as if there had been none."""
        ann = users.create(User("acme", "1", "a@x"))
        with pytest.raises(KeyError), database.transaction() as unit:  # the block is what is tested
            inside = unit.repository(User, model=users_model(users))
            inside.update("acme", "1", set={"email": "b@x"})
            inside.save(evolve(ann, age=50))
            raise KeyError
        assert users.get("acme", "1") == ann
        ann.age = 50
        users.save(ann)
        assert [users.get("acme", "1").age, users.create(User("acme", "2", "b@x")).id] == [50, "2"]


def users_model(users: Repository[User]) -> Model:
    """The model of users in a table that there is."""
    return people.user_model(users.schema)
