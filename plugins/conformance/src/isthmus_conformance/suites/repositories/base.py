"""What the suites of repositories share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from isthmus import Database, Model, Repository
from isthmus.errors import IsthmusError
from isthmus_conformance.base import Suite
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.people import Order, User


class MakeRepository(Protocol):
    """Makes a repository whose tables exist, and are dropped at the end."""

    def __call__(self, kind: type[Any], model: Model) -> Repository[Any]: ...


class RepositorySuite(Suite):
    """What the suites of repositories share."""

    @pytest.fixture
    def make_repository(self, database: Database) -> Iterator[MakeRepository]:
        """Creates the tables of repositories."""
        made: list[Repository[Any]] = []

        def make(kind: type[Any], model: Model) -> Repository[Any]:
            repository: Repository[Any] = database.repository(kind, model=model).ensure()
            made.append(repository)
            return repository

        yield make
        for repository in made:
            _drop(repository)

    @pytest.fixture
    def users(self, make_repository: MakeRepository) -> Repository[User]:
        """Users, whose table orders may share."""
        return make_repository(User, people.user_model(people.shared_table()))

    @pytest.fixture
    def orders(self, users: Repository[User], database: Database) -> Repository[Order]:
        """Orders in the table of the users."""
        return database.repository(Order, model=people.order_model(users.schema))


def _drop(repository: Repository[Any]) -> None:
    try:
        repository.drop()
    except IsthmusError:  # another repository of the same table was first
        return
