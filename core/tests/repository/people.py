"""Classes that the tests of repositories store."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import define, field, frozen

from isthmus import Index, Model


@define
class User:
    """With everything that a model can declare."""

    __isthmus__: ClassVar[Model] = Model(
        "users", "ORG#{org}", "USER#{id}", discriminator="user", unique=["email", ("org", "badge")], version="version",
        timestamps=True, indexes=[Index("by_badge", "{org}#{badge}", "email")], names={"nick": "nickname"},
    )  # fmt: skip

    org: str
    id: str
    email: str
    badge: int | None = None
    nick: str | None = None
    tags: list[str] = field(factory=list)
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen
class Note:
    """Frozen, without a version."""

    __isthmus__: ClassVar[Model] = Model("notes", "id", timestamps=("made", "changed"))

    id: str
    text: str = ""
    stars: int = 0
    made: datetime | None = None


@frozen
class Event:
    """Its sort key is made of three fields."""

    __isthmus__: ClassVar[Model] = Model("events", "{room}", "E#{kind}#{at}#{id}")

    room: str
    kind: str
    at: datetime
    id: int
