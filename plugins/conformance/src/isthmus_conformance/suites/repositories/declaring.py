"""What is refused when a repository is asked for (rule REP-3)."""

from __future__ import annotations

import pytest

from isthmus import Database, Model, Repository
from isthmus.errors import InvalidArgument, InvalidValue
from isthmus_conformance.base import fresh_name
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories.base import RepositorySuite
from isthmus_conformance.suites.repositories.people import Order, User


class DeclaringSuite(RepositorySuite):
    """What is refused when a repository is asked for."""

    @rule("REP-3")
    def test_discriminators_are_different(self, users: Repository[User], database: Database) -> None:
        """Two classes of one table must be told apart."""
        with pytest.raises(InvalidArgument, match="discriminator"):
            database.repository(Order, model=Model(users.schema, "{org}", "{id}", discriminator="user"))

    @rule("REP-3")
    def test_keys_name_fields(self, database: Database) -> None:
        """That exist, and can be part of a key."""
        for keys in [("nothing",), ("ORG#{nothing}",), ("ORG#",), ("{org}{id}",), ("nick",), ("tags",)]:
            with pytest.raises(InvalidArgument, match="User"):
                database.repository(User, model=Model(fresh_name(), *keys))

    @rule("REP-3")
    def test_a_wrong_value_is_refused(self, users: Repository[User]) -> None:
        """Nothing is written that could not be read."""
        with pytest.raises(InvalidValue, match="'age' of User takes int"):
            users.create(User("acme", "1", "a@x", age="x"))  # type: ignore[arg-type]  # wrong on purpose
        assert users.find("acme", "1") is None
