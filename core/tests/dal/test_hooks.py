"""When hooks are called, and what becomes of what they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from attrs import define, evolve

from core.tests.dal.things import Task, Tasks, User, Users, World
from isthmus import DalBaseClass, Model
from isthmus.errors import Conflict, InvalidArgument, VersionConflict

WRITTEN = [("before_save", "1"), ("validate", "1"), ("after_load", "1")]


def ann(**fields: Any) -> User:
    """A user whose address hooks change."""
    return User("1", "Ann@Example.org", **fields)


@pytest.mark.parametrize("method", ["create", "put", "save"])
def test_a_write_changes_then_checks_then_writes(world: World, method: str) -> None:
    """``before_save``, ``validate``, the write, ``after_load``; what is returned is what is stored."""
    written = getattr(world.users, method)(ann())
    assert world.users.calls == WRITTEN
    assert written == world.users.get("1") == User("1", "ann@example.org", version=1)


@pytest.mark.parametrize("method", ["create", "put", "save"])
def test_what_is_not_valid_is_not_written(world: World, method: str) -> None:
    """What ``validate`` raises reaches the caller as it is, and nothing is sent."""
    with pytest.raises(ValueError, match="1"):
        getattr(world.users, method)(User("1", "nowhere"))
    assert world.users.find("1") is None


READS: dict[str, Callable[[Users], object]] = {
    "get": lambda users: users.get("1"),
    "find": lambda users: users.find("1"),
    "get_many": lambda users: users.get_many(["1"]),
    "query": lambda users: list(users.query("1")),
    "all": lambda users: users.query("1").all(),
    "first": lambda users: users.query("1").where(lambda u: u.age == 0).first(),
    "one": lambda users: users.query("1").one(),
    "page": lambda users: list(users.query("1").page(size=3)),
    "pages": lambda users: [list(page) for page in users.scan().pages(size=3)],
    "scan": lambda users: list(users.scan()),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_each_entity_that_is_read_passes_through_after_load(world: World, read: Callable[[Users], object]) -> None:
    """On every way that entities are read by."""
    world.users.create(ann())
    world.users.calls.clear()
    assert read(world.users)
    assert world.users.calls == [("after_load", "1")]


def test_nothing_is_loaded_where_nothing_is_found(world: World) -> None:
    """``after_load`` never gets ``None``; a count has no entities."""
    assert world.users.find("1") is None
    assert world.users.get_many(["1"]) == [None]
    assert world.users.query("1").count() == 0
    assert world.users.calls == []


def test_update_and_delete_call_no_hook_before_they_write(world: World) -> None:
    """Nobody has the entity then; what an update returns was loaded."""
    world.users.create(ann())
    world.users.calls.clear()
    assert world.users.update("1", set={"age": 3}).age == 3
    assert world.users.delete("1")
    assert world.users.calls == [("after_load", "1")]


def test_a_batch_checks_all_before_it_writes_any(world: World) -> None:
    """One entity that is not valid keeps all of them from being written."""
    with pytest.raises(ValueError, match="2"):
        world.users.put_many([ann(), User("2", "nowhere")])
    assert world.users.calls == [("before_save", "1"), ("validate", "1"), ("before_save", "2"), ("validate", "2")]
    assert world.users.scan().count() == 0


def test_a_batch_writes_what_hooks_return(world: World) -> None:
    """As single writes do."""
    assert world.users.put_many([ann(), User("2", "Bob@Example.org")]).written == 2
    assert sorted(user.email for user in world.users.scan()) == ["ann@example.org", "bob@example.org"]


def test_hooks_run_in_transactions(world: World) -> None:
    """In the same order, at the call."""
    with world.transaction() as tx:
        tx.users.create(ann())
        assert world.users.calls == WRITTEN
    assert world.users.get("1").email == "ann@example.org"


def test_hooks_run_again_with_each_attempt(world: World) -> None:
    """A conflict runs the function once more, hooks included."""
    attempts = []

    def work(tx: World) -> None:
        attempts.append(1)
        tx.users.create(ann())
        if len(attempts) == 1:
            raise Conflict("once")

    world.run_transaction(work)
    assert world.users.calls == WRITTEN * 2


def test_save_writes_only_what_changed_although_hooks_return_copies(world: World) -> None:
    """What is known of a loaded entity is known of the copy that ``before_save`` makes, and of ``after_load``'s."""

    class Copying(Tasks):
        def before_save(self, entity: Task) -> Task:
            return evolve(entity)

        def after_load(self, entity: Task) -> Task:
            return evolve(entity)

    tasks = Copying(world.database)
    tasks.create(Task("1", "a"))
    tasks.bound_table.update(pk="USER#1", sk="TASK#a", set={"colour": "red", "done": True}, expected_version=1)
    task = tasks.get("1", "a")
    tasks.bound_table.update(pk="USER#1", sk="TASK#a", set={"seen": ["x"]}, expected_version=2)
    task.done = False
    with pytest.raises(VersionConflict):
        tasks.save(task)
    task = tasks.get("1", "a")
    task.done = False
    assert tasks.save(task) == Task("1", "a", seen=["x"], version=4)
    assert tasks.bound_table.get(pk="USER#1", sk="TASK#a")["colour"] == "red"


def test_save_since_passes_through_hooks(world: World) -> None:
    """A changed copy is saved by naming what was loaded."""
    loaded = world.users.create(ann())
    saved = world.users.save(evolve(loaded, age=4), since=loaded)
    assert (saved.age, saved.version) == (4, 2)


def test_a_hook_gets_a_copy_of_a_dictionary(world: World) -> None:
    """The caller's own is left alone."""

    class Marked(DalBaseClass[dict[str, Any]]):
        table = type(world.notes).table

        def before_save(self, entity: dict[str, Any]) -> dict[str, Any]:
            entity["marked"] = True
            return entity

    given = {"id": "1"}
    assert Marked(world.database).put(given) == {"id": "1", "marked": True, "revision": 1}
    assert given == {"id": "1"}


@pytest.mark.parametrize("hook", ["before_save", "after_load"])
@pytest.mark.parametrize("returned", [None, "text"])
def test_a_hook_that_returns_something_else_is_named(world: World, hook: str, returned: object) -> None:
    """A forgotten ``return`` is the usual slip."""
    kind = type("Slips", (Tasks,), {hook: lambda *_: returned})
    found = "None" if returned is None else "str"
    with pytest.raises(InvalidArgument, match=rf"Slips\.{hook} returned {found}: it returns the Task"):
        kind(world.database).create(Task("1", "a"))


def test_a_validate_that_returns_a_verdict_is_refused(world: World) -> None:
    """``return False`` would be taken for a refusal by its author, and for nothing by everybody else."""
    kind = type("Slips", (Tasks,), {"validate": lambda *_: False})
    with pytest.raises(InvalidArgument, match="validate returned bool: it raises an error"):
        kind(world.database).create(Task("1", "a"))
    assert world.tasks.find("1", "a") is None


@pytest.mark.parametrize("hook", ["before_save", "after_load", "validate"])
def test_an_async_hook_is_refused_at_its_class(hook: str) -> None:
    """Nobody would await it."""

    async def late(*given: object) -> object:
        return given[-1]

    with pytest.raises(InvalidArgument, match=rf"Late\.{hook} is async"):
        type("Late", (Tasks,), {hook: late})


def test_hooks_see_only_what_they_are_for(world: World) -> None:
    """Another class's object is refused before any hook is called."""
    with pytest.raises(InvalidArgument, match="Users takes User objects, not Task"):
        world.users.create(Task("1", "a"))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="Notes takes dictionaries, not list"):
        world.notes.put([("id", "1")])  # type: ignore[arg-type]
    assert world.users.calls == []


def test_a_field_that_is_set_back_is_written(world: World) -> None:
    """Although ``before_save`` gave a copy, of which the caller's entity knows nothing."""
    mine = ann()
    world.users.create(mine)
    for age in (5, 0):
        mine.age = age
        world.users.save(mine)
        assert world.users.get("1").age == age
    marks = Plain(world.database).ensure()
    mark = marks.put(Mark("1", "old"))
    mark.text = "new"
    marks.put_many([mark])
    mark.text = "old"
    marks.save(mark)
    assert marks.get("1").text == "OLD"


@define
class Mark:
    """Its items of the first shape have another name for the text."""

    __isthmus__: ClassVar[Model] = Model(
        "marks", "id", shape=2, upgrade=lambda item: {"id": item["id"], "text": item["words"]}
    )

    id: str
    text: str
    stars: int = 0


class Plain(DalBaseClass[Mark]):
    """Stores small letters, and gives capital ones."""

    def before_save(self, entity: Mark) -> Mark:
        return evolve(entity, text=entity.text.lower())

    def after_load(self, entity: Mark) -> Mark:
        entity.text = entity.text.upper()
        return entity


def test_an_update_of_an_older_shape_calls_no_hook_on_what_it_stores(world: World) -> None:
    """It brings the stored item into today's shape; what ``after_load`` makes of it is the caller's alone."""
    marks = Plain(world.database).ensure()
    marks.bound_table.put({"id": "1", "words": "old"})
    assert marks.update("1", set={"stars": 1}).text == "OLD"
    assert marks.bound_table.get(id="1")["text"] == "old"
