"""Groups of DAL classes, and what their methods do together."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define

import isthmus
from core.tests.dal.things import TABLE, AsyncTasks, Notes, Task, Tasks, User, Users, World
from isthmus import Dal, DalBaseClass, Model
from isthmus.errors import Closed, Conflict, InvalidArgument, UniqueViolation


@define
class Chore:
    """A record with the discriminator of another one."""

    owner: str
    name: str


class Chores(DalBaseClass[Chore]):
    """Its DAL class."""

    model = Model(TABLE, "USER#{owner}", "CHORE#{name}", discriminator="task")


class House(Dal):
    """A group in a group."""

    world: World
    more: Notes
    rooms: int = 3


class Clash(Dal):
    """Two members with one discriminator."""

    tasks: Tasks
    chores: Chores


class Mixed(Dal):
    """A sync group with an async member."""

    tasks: AsyncTasks


class Covering(Dal):
    """A group with a member in the place of a method."""

    close: Tasks  # type: ignore[assignment]


class Empty(Dal):
    """A group of nothing."""

    rooms: int


class Unknown(Dal):
    """A group whose member's class is nowhere."""

    tasks: Nowhere  # type: ignore[name-defined]  # noqa: F821  # the test


def test_members_share_one_database(world: World) -> None:
    """``ensure`` has made all their tables."""
    assert {dal.database for dal in (world.users, world.tasks, world.notes)} == {world.database}
    assert world.database.tables.list() == ["notes", "things", "things-unique"]


def test_a_group_may_be_a_member() -> None:
    """Other attributes are left alone."""
    with House("memory://") as house:
        house.ensure().world.notes.put({"id": "1"})
        with house.transaction() as tx:
            tx.world.notes.update("1", set={"text": "x"})
            assert tx.more.get("1")["text"] == "x"
        assert house.more.get("1")["text"] == "x"
        assert house.rooms == 3


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Clash, "members 'tasks' and 'chores' of Clash have the same discriminator 'task' in table 'things'"),
        (Mixed, "Mixed.tasks is of class AsyncTasks: sync and async ones don't mix"),
        (Covering, "a member of Covering is called 'close', as a method is"),
        (Empty, "Empty has no members"),
        (Unknown, "Unknown has a member of a class that its module doesn't have: name 'Nowhere'"),
    ],
)
def test_a_group_that_can_not_be_is_refused(kind: Any, reason: str) -> None:
    """When it is made, without a database."""
    with pytest.raises(InvalidArgument, match=reason):
        kind("memory://")


def test_one_discriminator_in_two_classes_is_refused_without_a_group_too(world: World) -> None:
    """By the database that both are of."""
    with pytest.raises(InvalidArgument, match="the same discriminator 'task'"):
        Chores(world.database)


def test_a_transaction_is_all_or_nothing(world: World) -> None:
    """Over all members; nothing happens where its body raises or its end fails."""
    world.users.create(User("1", "ann@example.org"))
    with pytest.raises(ZeroDivisionError), world.transaction() as tx:  # noqa: PT012  # its end is the test
        tx.tasks.create(Task("1", "a"))
        raise ZeroDivisionError
    with pytest.raises(UniqueViolation), world.transaction() as tx:  # noqa: PT012
        tx.tasks.create(Task("1", "a"))
        tx.users.create(User("2", "ANN@example.org"))
    assert world.tasks.find("1", "a") is None
    with world.transaction() as tx:
        tx.tasks.put_many([Task("1", "a"), Task("1", "b")])
        user = tx.users.get("1")
        user.age += 1
        tx.users.save(user)
    assert [task.name for task in world.tasks.query("1")] == ["a", "b"]
    assert world.users.get("1").age == 1


def test_a_transaction_ends_with_conflict_where_what_was_read_has_changed(world: World) -> None:
    """``run_transaction`` runs again instead."""
    world.tasks.create(Task("1", "a"))
    runs = []

    def work(tx: World) -> int:
        task = tx.tasks.get("1", "a")
        runs.append(task.seen)
        if len(runs) < 3:
            world.tasks.update("1", "a", set={"seen": ["x"] * len(runs)})
        task.seen.append("me")
        tx.tasks.save(task)
        return len(runs)

    with pytest.raises(Conflict), world.transaction() as tx:
        work(tx)
    runs.clear()
    assert world.run_transaction(work) == 3
    assert world.tasks.get("1", "a").seen == ["x", "x", "me"]


def test_a_single_class_has_transactions_that_others_join(world: World) -> None:
    """``within`` takes another class's transaction, or the database's own unit of work."""
    with world.tasks.transaction() as tasks:
        tasks.create(Task("1", "a"))
        world.notes.within(tasks).create({"id": "1"})
        assert world.notes.find("1") is None
    with world.database.transaction() as unit:
        world.within(unit).notes.update("1", set={"text": "x"})
        assert world.notes.within(unit).database is unit
    assert world.notes.get("1")["text"] == "x"
    assert world.tasks.run_transaction(lambda tx: tx.get("1", "a").name) == "a"


def test_within_takes_a_named_caller(world: World) -> None:
    """A view of the same database for somebody."""
    world.within(world.database.bind(actor="ann")).notes.put({"id": "1"})
    assert world.notes.find("1") is not None


def test_a_transaction_keeps_what_a_subclass_has_added(world: World) -> None:
    """Methods and attributes of the group are there inside."""

    class Named(Users):
        def __init__(self, source: Any, names: str) -> None:
            super().__init__(source)
            self.names = names

        def again(self, id: str) -> User:
            return self.get(id)

    named = Named(world.database, "all")
    named.create(User("1", "ann@example.org"))
    with named.transaction() as tx:
        assert (tx.names, tx.again("1").id) == ("all", "1")


def test_misuse_of_transactions_is_refused(world: World) -> None:
    """A foreign database, one inside another, queries, and a use after the end."""
    with isthmus.connect("memory://") as other:
        for wrong in (other, "memory://"):
            with pytest.raises(InvalidArgument, match=r"within\(\) takes a unit of work"):
                world.within(wrong)  # type: ignore[arg-type]
    with world.transaction() as tx:
        with pytest.raises(InvalidArgument, match="open here already"), tx.tasks.transaction():
            pass
        with pytest.raises(InvalidArgument, match="takes no query"):
            tx.tasks.query("1").all()
        tx.tasks.create(Task("1", "a"))
        tx.close()
        assert world.tasks.find("1", "a") is None
    assert world.tasks.get("1", "a").name == "a"
    with world.transaction() as tx:
        pass
    with pytest.raises(Closed):
        tx.tasks.get("1", "a")


def test_drop_removes_the_tables(world: World) -> None:
    """Of one class, the one for unique values included."""
    world.users.drop()
    assert world.database.tables.list() == ["notes"]
