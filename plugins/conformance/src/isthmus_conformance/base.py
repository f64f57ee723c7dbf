"""What all suites share: the fixtures that open databases and make tables, and ``requires``."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar

import pytest
from attrs import define

from isthmus import Backend, BoundTable, Capability, Database, Plugin, Unsupported, aconnect, connect
from isthmus.errors import IsthmusError
from isthmus.operations import Context, Scan
from isthmus.results import Page
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_conformance.bridge import LoopThread, bridged
from isthmus_conformance.guard import check_suite
from isthmus_conformance.profiles import sharing
from isthmus_conformance.pytest_plugin import UNSUPPORTED
from isthmus_conformance.recording import note_database

START = 4_000_000_000
"""Where every test's clock starts: seconds since the epoch, in 2096.

A store that removes expired items by a clock of its own must not remove what is alive by this one.
"""

_NUMBERS = itertools.count()
_Test = TypeVar("_Test", bound=Callable[..., Any])


@define
class FakeClock:
    """A clock that stands still until it is told to move."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class OpenDatabase(Protocol):
    """Opens a database in the mode under test; the fixture closes it."""

    def __call__(self, source: str | Backend, **options: Any) -> Database: ...


class MakeTable(Protocol):
    """Creates a table under a name of its own; by default with the partition key ``id``."""

    def __call__(self, **declaration: Any) -> BoundTable: ...


def requires(*capabilities: Capability) -> Callable[[_Test], _Test]:
    """Skip the test, with the declared reason, where the backend declares one of the capabilities unsupported."""
    return pytest.mark.requires_capability(*capabilities)


def skip_unsupported(capability: Capability, level: Unsupported) -> NoReturn:
    """Skip a test whose capability is declared unsupported; the report tells this from every other skip."""
    pytest.skip(f"{UNSUPPORTED}{capability.value}: {level.reason}")


def fresh_name() -> str:
    """A table name that no other test uses."""
    return f"kit-{os.getpid()}-{next(_NUMBERS)}"


def stored_items(database: Database, table: BoundTable | Table) -> list[Item]:
    """All items as the backend itself gives them, beneath every layer."""
    schema = table if isinstance(table, Table) else table.schema
    found: list[Item] = []
    start: Item | None = None
    while True:
        page = database.backend.execute(Scan(Context(), schema, start=start))
        assert isinstance(page, Page)
        found.extend(page.items)
        if page.position is None:
            return found
        start = page.position


class Suite:
    """Base of all suites.

    A subclass outside of the kit gives the fixture ``source``. Tests and fixtures of the kit can't be overridden or
    skipped by marks; ``excused`` leaves some tests out, each with a reason, which the report prints. ``share`` is the
    part of the profile's generated examples that the suite runs, for the second and third variant of a store.
    """

    excused: ClassVar[Mapping[str, str]] = {}
    share: ClassVar[float] = 1.0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_suite(cls)

    @pytest.fixture
    def source(self) -> str | Backend:
        """The URL to test, or an opened backend object: every suite outside of the kit says which."""
        raise pytest.UsageError(
            f"{type(self).__name__} needs a fixture `source` that returns a URL or a Backend object"
        )

    @pytest.fixture(params=["sync", "async"])
    def mode(self, request: pytest.FixtureRequest) -> str:
        """Each test runs on the sync and on the async database."""
        return str(request.param)

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of the database, at ``START``."""
        return FakeClock()

    @pytest.fixture
    def stack(self) -> tuple[Plugin, ...]:
        """Plugins that are active in every database of a suite of layers."""
        return ()

    @pytest.fixture
    def open_database(self, mode: str, clock: FakeClock, stack: tuple[Plugin, ...]) -> Iterator[OpenDatabase]:
        """Opens databases, any number of times; all are closed at the end."""
        opened: list[Database] = []
        loop = LoopThread() if mode == "async" else None

        def open_one(source: str | Backend, **options: Any) -> Database:
            active = {"plugins": [*stack, *options.pop("plugins", ())]} if stack else {}
            options = {"clock": clock, **active, **options}
            database = connect(source, **options) if loop is None else bridged(loop.run(_aopen(source, options)), loop)
            opened.append(database)
            return database

        yield open_one
        for database in opened:
            database.close()
        if loop is not None:
            loop.stop()

    @pytest.fixture
    def database(
        self, open_database: OpenDatabase, source: str | Backend, mode: str, request: pytest.FixtureRequest
    ) -> Database:
        """The database under test."""
        database = open_database(source)
        note_database(request.node, database.backend, mode)
        return database

    @pytest.fixture
    def make_table(self, database: Database) -> Iterator[MakeTable]:
        """Creates tables, which are dropped at the end."""
        made: list[BoundTable] = []

        def make(**declaration: Any) -> BoundTable:
            table = database.table(fresh_name(), **{"partition_key": "id", **declaration}).ensure()
            made.append(table)
            return table

        yield make
        for table in made:
            _drop(table)

    @pytest.fixture
    def table(self, make_table: MakeTable) -> BoundTable:
        """An empty table with the partition key ``id``, a string."""
        return make_table()

    @pytest.fixture
    def sorted_table(self, make_table: MakeTable) -> BoundTable:
        """An empty table with the partition key ``pk`` and the sort key ``sk``, both strings."""
        return make_table(partition_key="pk", sort_key="sk")

    @pytest.fixture(autouse=True)
    def _share_of_examples(self) -> Iterator[None]:
        with sharing(self.share):
            yield

    @pytest.fixture(autouse=True)
    def _skip_where_unsupported(self, request: pytest.FixtureRequest) -> None:
        wanted = [name for mark in request.node.iter_markers("requires_capability") for name in mark.args]
        if not wanted:
            return
        database: Database = request.getfixturevalue("database")
        for capability in wanted:
            level = database.capabilities[capability]
            if isinstance(level, Unsupported):
                skip_unsupported(capability, level)


async def _aopen(source: str | Backend, options: dict[str, Any]) -> Any:
    return await aconnect(source, **options)


def _drop(table: BoundTable) -> None:
    try:
        table.drop()
    except IsthmusError:  # the test dropped it itself, or closed the database
        return
