"""The async classes do what the sync ones do."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from attrs import evolve

from core.tests.dal.things import AsyncWorld, Task, User, World
from isthmus import AsyncDal, AsyncDalBaseClass, Dal, DalBaseClass, F
from isthmus.errors import IsthmusError

CALLS: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    ("users", "create", (User("1", "Ann@example.org"),), {}),
    ("users", "put", (User("2", "Bob@example.org"),), {}),
    ("users", "save", (User("3", "Cam@example.org"),), {}),
    ("users", "create", (User("4", "nowhere"),), {}),
    ("users", "create", (User("4", "ann@EXAMPLE.org"),), {}),
    ("users", "get", ("1",), {}),
    ("users", "get", ("9",), {}),
    ("users", "find", ("9",), {}),
    ("users", "get_many", (["1", "9", "2"],), {}),
    ("users", "update", ("1",), {"add": {"age": 2}}),
    ("users", "delete", ("2",), {}),
    ("users", "delete", ("2",), {}),
    ("users", "delete_many", (["3"],), {}),
    ("tasks", "put_many", ([Task("1", "a"), Task("1", "b")],), {}),
    ("tasks", "delete_many", ([("1", "b")],), {}),
    ("tasks", "get", ("1", "a"), {}),
    ("notes", "create", ({"id": "1", "day": "mon", "rank": 1},), {}),
    ("notes", "save", ({"id": "1", "text": "x", "revision": 1},), {}),
    ("notes", "update", ("1",), {"set": {F.text: "y"}, "remove": ["rank"]}),
    ("notes", "put_many", ([{"id": "2"}],), {}),
]


def answers() -> list[Any]:
    """What the sync classes answer."""
    found = []
    with World("memory://") as world:
        world.ensure()
        for member, name, arguments, options in CALLS:
            try:
                found.append(getattr(getattr(world, member), name)(*_fresh(arguments), **options))
            except (IsthmusError, ValueError) as error:
                found.append(repr(error))
        found += [world.users.calls, sorted(user.id for user in world.users.scan()), world.notes.scan().count()]
    return found


async def late_answers() -> list[Any]:
    """What the async classes answer."""
    found = []
    async with AsyncWorld("memory://") as world:
        await world.ensure()
        for member, name, arguments, options in CALLS:
            try:
                found.append(await getattr(getattr(world, member), name)(*_fresh(arguments), **options))
            except (IsthmusError, ValueError) as error:
                found.append(repr(error))
        found += [world.users.calls, sorted([user.id async for user in world.users.scan()])]
        return [*found, await world.notes.scan().count()]


def _fresh(arguments: tuple[Any, ...]) -> list[Any]:
    """Copies, because a write notes the version in the object."""
    return [evolve(one) if isinstance(one, User) else one for one in arguments]


def test_both_answer_alike() -> None:
    """Each method, with its errors and hooks."""
    expected = answers()
    assert expected[5] == User("1", "ann@example.org", version=1)
    assert expected[-1] == 2
    assert asyncio.run(late_answers()) == expected


def test_async_transactions() -> None:
    """All or nothing, joined by others, run again on conflict."""

    async def run() -> None:
        async with AsyncWorld("memory://") as world:
            await world.ensure()
            with pytest.raises(ZeroDivisionError):  # noqa: PT012  # its end is the test
                async with world.transaction() as tx:
                    await tx.tasks.create(Task("1", "a"))
                    raise ZeroDivisionError
            assert await world.tasks.find("1", "a") is None
            async with world.tasks.transaction() as tasks:
                await tasks.create(Task("1", "a"))
                await world.notes.within(tasks).create({"id": "1"})
            runs = []

            async def work(tx: AsyncWorld) -> str:
                task = await tx.tasks.get("1", "a")
                runs.append(1)
                if len(runs) == 1:
                    await world.tasks.update("1", "a", set={"seen": ["x"]})
                task.seen.append("me")
                await tx.tasks.save(task)
                return (await tx.notes.get("1"))["id"]  # type: ignore[no-any-return]

            assert await world.run_transaction(work) == "1"
            assert (await world.tasks.query("1").one()).seen == ["x", "me"]

    asyncio.run(run())


@pytest.mark.parametrize(("sync", "twin"), [(DalBaseClass, AsyncDalBaseClass), (Dal, AsyncDal)])
def test_twins(sync: type, twin: type) -> None:
    """The same names, parameters and documentation."""

    def members(kind: type) -> dict[str, Any]:
        found = {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}
        return {
            name: (inspect.getdoc(member), list(inspect.signature(member).parameters) if callable(member) else None)
            for name, member in found.items()
        }

    assert len(members(sync)) > 6
    assert members(twin) == members(sync)
