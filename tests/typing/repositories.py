"""Typed usage of repositories: checked by mypy, never run.

What has to be refused carries the code of its error in a ``type: ignore``. Mypy reports one that ignores nothing, so
this file fails to check as soon as a misspelt field or a wrong type gets through.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, assert_type

from attrs import define, evolve, frozen

from isthmus import AsyncQuery, AsyncRepository, Database, F, Model, Query, Repository
from isthmus.repository import EntityPage, between, contains, is_in, missing, not_, present, size


@frozen
class Address:
    """Nested."""

    city: str


@define
class User:
    """A class as callers write it."""

    __isthmus__: ClassVar[Model] = Model("app", "ORG#{org}", "USER#{id}", unique=["email"])

    org: str
    id: str
    email: str
    age: int
    joined: datetime
    nick: str | None = None
    home: Address | None = None
    tags: frozenset[str] = frozenset()
    active: bool = True


def results(database: Database, user: User) -> None:
    """What methods give."""
    users = database.repository(User)
    assert_type(users, Repository[User])
    assert_type(users.create(user), User)
    assert_type(users.put(user, when=lambda u: u.age > 1), User)
    assert_type(users.save(evolve(user, age=3), since=user), User)
    assert_type(users.get(org="acme", id="7"), User)
    assert_type(users.find("acme", "7"), User | None)
    assert_type(users.get_many([("acme", "7")]), list[User | None])
    assert_type(users.delete(user), bool)
    query = users.query(org="acme")
    assert_type(query, Query[User])
    assert_type(query.where(lambda u: u.age >= 18).limit(3).all(), list[User])
    assert_type(query.page(size=3), EntityPage[User])
    assert_type(query.first(), User | None)
    assert_type(query.one(), User)
    for found in users.scan():
        assert_type(found, User)
    with database.transaction() as tx:
        assert_type(tx.repository(User).get("acme", "7"), User)


async def asynchronous(users: AsyncRepository[User], user: User) -> None:
    """The same, to be awaited."""
    assert_type(await users.get("acme", "7"), User)
    assert_type(await users.save(user), User)
    query = users.query(lambda u: u.org == "acme").where(lambda u: u.age >= 18)
    assert_type(query, AsyncQuery[User])
    assert_type(await query.all(), list[User])
    async for found in query:
        assert_type(found, User)


def conditions(users: Repository[User], moment: datetime) -> None:
    """What ``where`` takes."""
    query = users.query(org="acme")
    query.where(lambda u: (u.age >= 18) & not_(u.active) | (u.joined < moment))
    query.where(lambda u: u.email.startswith("a") & contains(u.tags, "x") & (size(u.tags) > 2))
    query.where(lambda u: between(u.age, 1, 9) & is_in(u.nick, ["a", None]) & missing(u.home))
    query.where(lambda u: present(u.home).city == "Paris")
    query.where(F.age >= 18)
    query.where(lambda u: u.agee >= 18)  # type: ignore[attr-defined]
    query.where(lambda u: u.age >= "x")  # type: ignore[operator]
    query.where(lambda u: u.age == "x")  # type: ignore[comparison-overlap]
    query.where(lambda u: present(u.home).ctiy == "x")  # type: ignore[attr-defined]
    query.where(lambda u: between(u.age, 1, "x"))  # type: ignore[type-var]
    query.where(lambda u: u.age)  # type: ignore[arg-type,return-value]
    query.where(lambda u: u.joined > 3)  # type: ignore[operator]
    users.put(users.get("acme", "7"), when=lambda u: u.agee > 3)  # type: ignore[attr-defined]


def keys(users: Repository[User]) -> None:
    """What ``get``, and every other method with a key, takes as a function."""
    users.get(lambda u: (u.org == "acme") & (u.id == "7"))
    users.get(lambda u: (u.orgg == "acme") & (u.id == "7"))  # type: ignore[attr-defined]
    users.get(lambda u: (u.org == "acme") & (u.id == 7))  # type: ignore[comparison-overlap]
    users.find(lambda u: u.idd == "7")  # type: ignore[attr-defined]
    users.delete(lambda u: u.id == 7)  # type: ignore[comparison-overlap]
    users.query(lambda u: u.org == 1)  # type: ignore[comparison-overlap]
    users.get(3.5)  # type: ignore[arg-type]


def changes(users: Repository[User]) -> None:
    """What ``set`` takes as a function."""
    key: dict[str, Any] = {"org": "acme", "id": "7"}
    assert_type(users.update(key, set=lambda u: evolve(u, age=u.age + 1, nick=None)), User)
    users.update(org="acme", id="7", set={"age": 3}, add={"tags": {"x"}}, remove="nick")
    users.update(key, set=lambda u: evolve(u, agee=3))  # type: ignore[call-arg]
    users.update(key, set=lambda u: evolve(u, age="x"))  # type: ignore[arg-type]
    users.update(key, set=lambda u: evolve(u, age=u.age + Decimal(1)))  # type: ignore[arg-type]
    users.update(key, set=lambda u: u.age)  # type: ignore[arg-type,return-value]


def entities(users: Repository[User], address: Address) -> None:
    """Only entities of the class are written."""
    users.create(address)  # type: ignore[arg-type]
    users.save(address)  # type: ignore[arg-type]
