"""Guards of unique values: whatever is done, there is one for each value that is held, and no other (rule REP-9)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from attrs import define, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from core.tests.repository.people import User
from isthmus import Database, Model, Repository
from isthmus.errors import AlreadyExists, Conflict, ItemNotFound, UniqueViolation, VersionConflict
from isthmus.operations import Operation
from isthmus.planned import drive

EMAILS = ("a@x", "b@x", "c@x")
IDS = ("1", "2", "3")
LOSSES = (AlreadyExists, Conflict, ItemNotFound, UniqueViolation, VersionConflict)


@define
class Member:
    """Two constraints, one of two fields that may be missing."""

    __isthmus__: ClassVar[Model] = Model("members", "id", unique=["email", ("club", "number")])

    id: str
    email: str
    club: str | None = None
    number: int | None = None
    other: int = 0


def versioned(database: Database) -> Repository[Member]:
    """The same with versions."""
    return database.repository(Member, model=evolve(Member.__isthmus__, table="versioned", version="version"))


def guards(database: Database, members: Repository[Member]) -> list[tuple[str, Any]]:
    """The constraint and the owner of each guard."""
    table = database.tables.open(f"{members.schema.name}-unique")
    return sorted((str(item["value"]).split("#")[1], item["owner"]["id"]) for item in table.scan())  # type: ignore[call-overload, index]  # a map


def expected(members: Repository[Member]) -> list[tuple[str, Any]]:
    """What there has to be for the items that are stored."""
    found = list(members.scan())
    pairs = [(member.club, member.number) for member in found if member.club is not None and member.number is not None]
    emails = [member.email for member in found]
    assert [len(set(emails)), len(set(pairs))] == [len(emails), len(pairs)], "a value is held twice"
    held = [("email", member.id) for member in found]
    return sorted(held + [("club+number", one.id) for one in found if one.club is not None and one.number is not None])


MEMBERS = st.builds(
    Member, st.sampled_from(IDS), st.sampled_from(EMAILS), st.none() | st.just("chess"),
    st.none() | st.integers(1, 2), st.integers(0, 1),
)  # fmt: skip
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(EMAILS), "club": st.none() | st.just("chess"), "number": st.none() | st.integers(1, 2),
        "other": st.integers(0, 3),
    },
)  # fmt: skip
Act = Callable[[Repository[Member]], Any]


def _saved(members: Repository[Member], key: str, changes: dict[str, Any]) -> None:
    found = members.get(key)
    for name, value in changes.items():
        setattr(found, name, value)
    members.save(found)


ACTS: st.SearchStrategy[Act] = st.one_of(
    MEMBERS.map(lambda member: lambda members: members.create(evolve(member))),
    MEMBERS.map(lambda member: lambda members: members.put(evolve(member))),
    MEMBERS.map(lambda member: lambda members: members.save(evolve(member))),
    st.tuples(st.sampled_from(IDS), CHANGES).map(lambda pair: lambda members: _saved(members, *pair)),
    st.tuples(st.sampled_from(IDS), CHANGES).map(lambda pair: lambda members: members.update(pair[0], set=pair[1])),
    st.sampled_from(IDS).map(lambda key: lambda members: members.delete(key)),
)


@pytest.mark.parametrize("make", [lambda database: database.repository(Member), versioned], ids=["plain", "versioned"])
@settings(max_examples=80, deadline=None)
@given(acts=st.lists(ACTS, max_size=10))
def test_guards_belong_to_what_is_stored(make: Any, acts: list[Act]) -> None:
    """After every write, refused ones included; and only those are refused that have to be."""
    with isthmus.connect("memory://") as database:
        members = make(database).ensure()
        for act in acts:
            before = list(members.scan())
            try:
                act(members)
            except UniqueViolation:
                assert len(before) > 0
                assert list(members.scan()) == before
            except LOSSES:
                assert list(members.scan()) == before
            assert guards(database, members) == expected(members)


@pytest.mark.parametrize("make", [lambda database: database.repository(Member), versioned], ids=["plain", "versioned"])
def test_guards_survive_concurrent_writers(make: Any) -> None:
    """Threads that want the same values at the same time."""
    with isthmus.connect("memory://") as database:
        members = make(database).ensure()
        wrong: list[BaseException] = []
        applied = [0] * 4

        def work(seed: int) -> None:
            chance = random.Random(seed)
            for _round in range(150):
                try:
                    _some_write(members, chance)
                    applied[seed] += 1
                except LOSSES:
                    continue
                except Exception as error:
                    wrong.append(error)
                    return

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert min(applied) > 0
        assert guards(database, members) == expected(members)


def _some_write(members: Repository[Member], chance: random.Random) -> None:
    key, email = chance.choice(IDS), chance.choice(EMAILS)
    number = chance.choice([None, 1, 2])
    match chance.randrange(5):
        case 0:
            members.create(Member(key, email, "chess", number))
        case 1:
            members.put(Member(key, email, "chess", number))
        case 2:
            _saved(members, key, {"email": email, "number": number})
        case 3:
            members.update(key, set={"number": number, "email": email})
        case _:
            members.delete(key)


def test_one_deadline_for_all_that_a_call_sends() -> None:
    """Reads, tries and what is read afterwards: a timeout is the call's."""
    with isthmus.connect("memory://") as database:
        users = database.repository(User).ensure()
        ann = users.create(User("acme", "1", "a@x"))
        ann.email = "b@x"
        deadlines: list[float | None] = []

        def send(operation: Operation) -> Any:
            deadlines.append(operation.context.deadline)
            return users._execute(operation)

        drive(users._writes.save(ann, None, 30.0), send)
        drive(users._writes.delete({"pk": "ORG#acme", "sk": "USER#1"}, None, None, 30.0), send)
    assert [len(deadlines), len(set(deadlines)), None in deadlines] == [5, 2, False]
