"""Repositories inside a unit of work: it is a database, so they need to know nothing of it."""

from __future__ import annotations

from typing import ClassVar

import pytest
from attrs import define

import isthmus
from isthmus import Model
from isthmus.errors import UniqueViolation


@define
class Member:
    """An entity with a value that must be unique."""

    __isthmus__: ClassVar[Model] = Model(table="members", partition_key="{id}", unique=["email"])

    id: str
    email: str
    visits: int = 0


def test_entities_are_written_with_everything_else() -> None:
    """Loaded, changed and created inside; nobody else sees them before the end, and guards of unique values count."""
    with isthmus.connect("memory://") as database:
        members = database.repository(Member)
        members.ensure()
        members.create(Member("1", "a@b"))
        with database.transaction() as tx:
            inside = tx.repository(Member)
            first = inside.get(id="1")
            first.visits += 1
            inside.save(first)
            inside.create(Member("2", "c@d"))
            with pytest.raises(UniqueViolation):
                inside.create(Member("3", "c@d"))
            assert (inside.get(id="2").email, members.find(id="2")) == ("c@d", None)
        assert (members.get(id="1").visits, members.get(id="2").email, members.find(id="3")) == (1, "c@d", None)
