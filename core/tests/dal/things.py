"""Records and DAL classes that several tests use."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import define, evolve, field

from isthmus import AsyncDal, AsyncDalBaseClass, Dal, DalBaseClass, DalHooks, Index, Model, Table

TABLE = Table("things", "pk", "sk", version="version")


@define
class User:
    """A user, whose e-mail address nobody else has."""

    __isthmus__: ClassVar[Model] = Model(TABLE, "USER#{id}", "USER#{id}", discriminator="user", unique=["email"])
    id: str
    email: str
    age: int = 0
    version: int | None = None


@define
class Task:
    """Something that a user has to do."""

    __isthmus__: ClassVar[Model] = Model(TABLE, "USER#{owner}", "TASK#{name}", discriminator="task")
    owner: str
    name: str
    done: bool = False
    seen: list[str] = field(factory=list)
    version: int | None = None


class UserRules(DalHooks[User]):
    """Hooks that note when they were called."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.calls: list[tuple[str, str]] = []
        super().__init__(*arguments, **options)

    def before_save(self, entity: User) -> User:
        self.calls.append(("before_save", entity.id))
        return evolve(entity, email=entity.email.lower())

    def after_load(self, entity: User) -> User:
        self.calls.append(("after_load", entity.id))
        return entity

    def validate(self, entity: User) -> None:
        self.calls.append(("validate", entity.id))
        if "@" not in entity.email:
            raise ValueError(entity.id)
        assert entity.email == entity.email.lower()


class Users(UserRules, DalBaseClass[User]):
    """Users."""


class Tasks(DalBaseClass[Task]):
    """Tasks."""


class Notes(DalBaseClass[dict[str, Any]]):
    """Notes, which are dictionaries."""

    table = Table("notes", "id", indexes=[Index("by_day", "day", ("rank", int))], version="revision")


class World(Dal):
    """All of them."""

    users: Users
    tasks: Tasks
    notes: Notes


class AsyncUsers(UserRules, AsyncDalBaseClass[User]):
    """Users, async."""


class AsyncTasks(AsyncDalBaseClass[Task]):
    """Tasks, async."""


class AsyncNotes(AsyncDalBaseClass[dict[str, Any]]):
    """Notes, async."""

    table = Notes.table


class AsyncWorld(AsyncDal):
    """All of them, async."""

    users: AsyncUsers
    tasks: AsyncTasks
    notes: AsyncNotes
