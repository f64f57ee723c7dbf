"""Writes of entities (rules REP-6 to REP-8)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from isthmus import Capability, Repository
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidArgument, ItemNotFound, VersionConflict
from isthmus_conformance.base import requires
from isthmus_conformance.eventually import eventually
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories.base import RepositorySuite
from isthmus_conformance.suites.repositories.people import Order, User, moment


class SavingSuite(RepositorySuite):
    """Writes."""

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_save_keeps_what_it_does_not_know(self, users: Repository[User]) -> None:
        """Only what changed is written."""
        users.create(User("acme", "1", "a@x", tags=frozenset({"old"})))
        users.table.update(pk="ORG#acme", sk="USER#1", set={"extra": [1]})
        ann = users.get(org="acme", id="1")
        ann.age, ann.tags, ann.nick = 30, frozenset(), "Annie"
        saved = users.save(ann)
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        assert [saved.version, stored.get("tags"), stored["extra"], stored["nick"]] == [3, None, [1], "Annie"]
        assert users.get("acme", "1") == saved

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_stale_entities_are_refused(self, users: Repository[User]) -> None:
        """The error carries the item that is there, and nothing is written."""
        users.create(User("acme", "1", "a@x"))
        mine, theirs = users.get("acme", "1"), users.get("acme", "1")
        theirs.age, mine.age = 40, 50
        users.save(theirs)
        with pytest.raises(VersionConflict) as caught:
            users.save(mine)
        assert [(caught.value.current or {}).get("age"), users.get("acme", "1").age] == [40, 40]

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_classes_without_a_version_field_are_checked_too(self, orders: Repository[Order]) -> None:
        """The version stays beside the entity."""
        orders.create(Order("acme", moment(1), "1"))
        mine, theirs = orders.query(org="acme").one(), orders.query(org="acme").one()
        theirs.total = Decimal("9.5")
        orders.save(theirs)
        mine.status = "lost"
        with pytest.raises(VersionConflict):
            orders.save(mine)
        assert orders.query(org="acme").one() == theirs

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_a_deleted_entity_is_not_saved(self, users: Repository[User]) -> None:
        """It does not come back."""
        ann = users.create(User("acme", "1", "a@x"))
        assert [users.delete(ann), users.delete(ann)] == [True, False]
        ann.age = 3
        with pytest.raises((VersionConflict, ItemNotFound)):
            users.save(ann)
        assert users.find("acme", "1") is None

    @rule("REP-7", "REP-5")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_updates_by_fields(self, users: Repository[User]) -> None:
        """Values, sums and conditions are those of the class."""
        users.create(User("acme", "1", "a@x", age=20, tags=frozenset({"a"})))
        users.update("acme", "1", set=lambda u: evolve(u, age=u.age + 1, nick="Annie"), add={"tags": {"b"}})
        found = users.update("acme", "1", set={"age": 30}, remove="nick", when=lambda u: u.age == 21)
        assert found == User("acme", "1", "a@x", 30, None, frozenset({"a", "b"}), version=3) == users.get("acme", "1")
        with pytest.raises(ConditionFailed):
            users.update("acme", "1", set={"age": 1}, when=lambda u: u.age == 21)
        for wrong in ({"age": "x"}, {"agee": 1}):
            with pytest.raises(InvalidArgument):
                users.update("acme", "1", set=wrong)

    @rule("REP-8")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE, Capability.SECONDARY_INDEX)
    def test_index_keys_follow_their_fields(self, orders: Repository[Order]) -> None:
        """However a field is changed."""
        orders.create(Order("acme", moment(1), "1"))
        orders.create(Order("acme", moment(2), "2"))
        orders.update("acme", moment(1), "1", set={"status": "paid"})
        late = orders.get("acme", moment(2), "2")
        late.status = "paid"
        orders.save(late)
        paid = orders.query(index="by_status", status="paid").where(lambda one: one.placed >= moment(1))
        eventually(["1", "2"], lambda: [one.id for one in paid])
        eventually(0, lambda: orders.query(index="by_status", status="open").count())

    @rule("REP-6")
    def test_classes_share_a_table(self, users: Repository[User], orders: Repository[Order]) -> None:
        """Each sees its own items, wherever they lie."""
        users.create(User("acme", "1", "a@x"))
        orders.create(Order("acme", moment(1), "1"))
        counts = [users.table.scan().count(), users.scan().count(), orders.scan().count()]
        assert [*counts, users.query("acme").count(), orders.query("acme").one().id] == [2, 1, 1, 1, "1"]

    @rule("REP-6")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_no_class_touches_items_of_another(self, users: Repository[User]) -> None:
        """Under a key of its own that another class has, nothing is found, written or removed."""
        other = {"pk": "ORG#acme", "sk": "USER#1", "type": "robot", "version": 7}
        users.table.create(other)
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        with pytest.raises(AlreadyExists):
            users.put(User("acme", "1", "a@x"))
        with pytest.raises(AlreadyExists):
            users.update("acme", "1", set={"age": 3})
        assert [users.find("acme", "1"), users.delete("acme", "1")] == [None, False]
        assert users.table.get(pk="ORG#acme", sk="USER#1") == stored
