"""Values that no two items share (rule REP-9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from isthmus import Capability, Repository
from isthmus.errors import UniqueViolation
from isthmus_conformance.base import START, FakeClock, requires
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.base import MakeRepository, RepositorySuite
from isthmus_conformance.suites.repositories.people import Seat, User, moment
from isthmus_conformance.together import one, together

WRITERS = 4


class UniqueSuite(RepositorySuite):
    """Values that no two items share."""

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_a_taken_value_is_refused(self, users: Repository[User]) -> None:
        """On every write, and nothing of it is written."""
        users.create(User("acme", "1", "a@x"))
        bob = users.create(User("acme", "2", "b@x"))
        writes: list[Callable[[], Any]] = [
            lambda: users.create(User("acme", "3", "a@x")), lambda: users.put(User("acme", "3", "a@x")),
            lambda: users.save(evolve(bob, email="a@x", age=1), since=bob),
            lambda: users.update("acme", "2", set={"email": "a@x", "age": 1}),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(UniqueViolation) as caught:
                write()
            assert [caught.value.constraint, "a@x" in str(caught.value)] == [("email",), False]
        assert sorted((one.id, one.email, one.age) for one in users.scan()) == [("1", "a@x", 0), ("2", "b@x", 0)]

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_a_changed_value_is_free_again(self, users: Repository[User]) -> None:
        """And the new one is taken."""
        ann = users.create(User("acme", "1", "a@x"))
        ann.email = "b@x"
        users.save(ann)
        users.create(User("acme", "2", "a@x"))
        users.update("acme", "1", set={"email": "c@x"})
        users.put(users.create(User("acme", "3", "b@x")))
        with pytest.raises(UniqueViolation):
            users.create(User("acme", "4", "c@x"))
        users.delete("acme", "1")
        users.create(User("acme", "4", "c@x"))
        assert sorted((one.id, one.email) for one in users.scan()) == [("2", "a@x"), ("3", "b@x"), ("4", "c@x")]

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE)
    def test_one_concurrent_creator_wins(self, users: Repository[User]) -> None:
        """Of several that want one value."""
        scripts = [one("create", User("acme", f"{number}", "a@x")) for number in range(WRITERS)]
        outcomes = together(users, scripts)  # type: ignore[arg-type]  # a repository has such methods too
        won = [outcome.id for outcome in outcomes if isinstance(outcome, User)]
        others = {type(outcome).__name__ for outcome in outcomes if not isinstance(outcome, User)}
        assert [len(won), others - {"UniqueViolation", "Conflict"}] == [1, set()]
        assert [one.id for one in users.scan()] == won

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.TTL)
    def test_guards_expire_with_their_items(self, make_repository: MakeRepository, clock: FakeClock) -> None:
        """A value is free when the item that had it has expired; tables may have any keys."""
        seats = make_repository(Seat, people.seat_model())
        soon = moment(0) + timedelta(seconds=START + 100 - moment(0).timestamp())
        seats.create(Seat("1", "big", 7, soon))
        with pytest.raises(UniqueViolation):
            seats.create(Seat("2", "big", 7))
        assert [seats.get(place=7, id="1").until, seats.scan().count()] == [soon, 1]
        clock.advance(101)
        seats.create(Seat("2", "big", 7))
        with pytest.raises(UniqueViolation):
            seats.create(Seat("3", "big", 7))
        assert [one.id for one in seats.scan()] == ["2"]
