"""The fixtures for programs' own tests. Nothing but pytest is imported before one is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zlib import crc32

import pytest

if TYPE_CHECKING:
    from isthmus import AsyncBoundTable, AsyncDatabase, BoundTable, Database
    from isthmus.repository import Model
    from isthmus.repository.async_repository import AsyncRepository
    from isthmus.repository.repository import Repository
    from isthmus_conformance.testing.areas import Area, Stores
    from isthmus_conformance.testing.faults import Faults
    from isthmus_conformance.testing.items import ItemMaker

ENVIRONMENT = "ISTHMUS_TEST_URL"
_DEFAULT = "memory://"
T = TypeVar("T")


class MakeTable(Protocol):
    """Creates a table for one test; the arguments are those of ``Database.table``."""

    def __call__(self, name: Any, /, **declaration: Any) -> BoundTable: ...


class MakeAsyncTable(Protocol):
    """The same for the async database."""

    def __call__(self, name: Any, /, **declaration: Any) -> AsyncBoundTable: ...


class MakeItems(Protocol):
    """A maker of items for a table; ``seed`` is the test's own when it is left out."""

    def __call__(self, table: Any, /, *, seed: int | None = None, **attributes: Any) -> ItemMaker: ...


class Repositories(Protocol):
    """Gives the repository of a class for one test, its table created."""

    def __call__(self, kind: type[T], *, model: Model | None = None) -> Repository[T]: ...


class AsyncRepositories(Protocol):
    """The same for the async database."""

    def __call__(self, kind: type[T], *, model: Model | None = None) -> AsyncRepository[T]: ...


Seed = Callable[[Any, "str | Path | Iterable[Any]"], int]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the fixtures."""
    group = parser.getgroup("isthmus", "Isthmus")
    text = f"the database of the fixture isthmus_database; default: ${ENVIRONMENT}, then the ini option, then memory://"
    group.addoption("--isthmus-url", metavar="URL", help=text)
    group.addoption("--isthmus-seed", type=int, metavar="NUMBER", help="the seed of made-up items, for all tests")
    parser.addini("isthmus_url", "the database of the fixture isthmus_database")


@pytest.fixture(scope="session")
def isthmus_stores() -> Iterator[Stores]:
    """The databases that this run has opened."""
    from isthmus_conformance.testing.areas import Stores

    stores = Stores()
    yield stores
    stores.close()


@pytest.fixture
def isthmus_url(pytestconfig: pytest.Config) -> str:
    """The database that tests use. Override it, with parameters say, to run tests on several."""
    given = pytestconfig.getoption("isthmus_url") or os.environ.get(ENVIRONMENT) or pytestconfig.getini("isthmus_url")
    return str(given or _DEFAULT)


@pytest.fixture
def isthmus_faults() -> Faults:
    """Faults for this test: ``isthmus_faults.throttle("put", times=2)``."""
    from isthmus_conformance.testing.faults import Faults

    return Faults()


@pytest.fixture
def isthmus_area(isthmus_stores: Stores, isthmus_url: str, isthmus_faults: Faults) -> Iterator[Area]:
    """This test's part of the store; ``isthmus_area.prefix`` begins the stored names of its tables."""
    area = isthmus_stores.area(isthmus_url, isthmus_faults)
    isthmus_faults.prefix = area.prefix
    yield area
    area.clear()


@pytest.fixture
def isthmus_database(isthmus_area: Area) -> Database:
    """A database in which this test is alone: it sees no other tables, and all of its own are removed at the end."""
    return isthmus_area.open()


@pytest.fixture
def isthmus_async_database(isthmus_area: Area) -> AsyncDatabase:
    """The same for asyncio, over the same tables."""
    return isthmus_area.aopen()


@pytest.fixture
def isthmus_tables(isthmus_database: Database) -> MakeTable:
    """Creates tables: ``isthmus_tables("users", partition_key="id")``."""

    def make(name: Any, /, **declaration: Any) -> BoundTable:
        return isthmus_database.table(name, **declaration).ensure()

    return make


@pytest.fixture
def isthmus_async_tables(isthmus_tables: MakeTable, isthmus_async_database: AsyncDatabase) -> MakeAsyncTable:
    """Creates tables for the async database; nothing has to be awaited."""

    def make(name: Any, /, **declaration: Any) -> AsyncBoundTable:
        return isthmus_async_database.table(isthmus_tables(name, **declaration).schema)

    return make


@pytest.fixture
def isthmus_repositories(isthmus_database: Database) -> Repositories:
    """Gives repositories: ``isthmus_repositories(User)``."""

    def make(kind: type[T], *, model: Model | None = None) -> Repository[T]:
        return isthmus_database.repository(kind, model=model).ensure()

    return make


@pytest.fixture
def isthmus_async_repositories(
    isthmus_repositories: Repositories, isthmus_async_database: AsyncDatabase
) -> AsyncRepositories:
    """Gives repositories of the async database; nothing has to be awaited."""

    def make(kind: type[T], *, model: Model | None = None) -> AsyncRepository[T]:
        isthmus_repositories(kind, model=model)
        return isthmus_async_database.repository(kind, model=model)

    return make


@pytest.fixture
def isthmus_seed(isthmus_database: Database, request: pytest.FixtureRequest) -> Seed:
    """Writes items that are there before the test begins, and returns how many.

    ``isthmus_seed(table, "users.jsonl")`` reads JSON lines; a relative path begins where the test's file is.
    ``isthmus_seed(table, items)`` takes mappings, and ``isthmus_seed(repository, entities)`` objects. The table or
    repository may be one of the async database.
    """

    def seed(target: Any, source: str | Path | Iterable[Any]) -> int:
        from isthmus_conformance.testing.seeding import seed_entities, seed_table

        given = source if isinstance(source, (str, Path)) else list(source)
        if isinstance(given, list) and given and not isinstance(given[0], Mapping):
            return seed_entities(isthmus_database.repository(target.kind, model=target.model), given)
        return seed_table(isthmus_database.table(target.schema), given, folder=request.path.parent)

    return seed


@pytest.fixture
def isthmus_items(request: pytest.FixtureRequest) -> MakeItems:
    """Makes up items: ``isthmus_items(table, name=str, age=int).many(10)``.

    The seed is that of ``--isthmus-seed``, else a number that belongs to the test's name; a failed test prints it.
    """

    def make(table: Any, /, *, seed: int | None = None, **attributes: Any) -> ItemMaker:
        from isthmus_conformance.testing.items import ItemMaker

        chosen = request.config.getoption("isthmus_seed") if seed is None else seed
        chosen = crc32(request.node.nodeid.encode()) if chosen is None else chosen
        request.node.add_report_section("call", "isthmus", f"made-up items of {table.name}: --isthmus-seed {chosen}")
        return ItemMaker(getattr(table, "schema", table), chosen, attributes)

    return make
