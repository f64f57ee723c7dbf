"""Where a DAL takes its database from, and who closes it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import isthmus
from core.tests.dal.things import AsyncTasks, AsyncWorld, Task, Tasks, World
from isthmus.errors import Closed, ConfigurationError, InvalidArgument

KINDS = [Tasks, World]
ASYNC_KINDS = [AsyncTasks, AsyncWorld]


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor a file says anything."""
    monkeypatch.delenv("ISTHMUS_URL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_says_which_database(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program works elsewhere by another value."""
    for url in ("memory://", "sqlite:///some.db"):
        monkeypatch.setenv("ISTHMUS_URL", url)
        with kind() as dal:
            assert dal.database.url == url


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_which_database(kind: Any, tmp_path: Path) -> None:
    """``isthmus.toml``, or the file that is named."""
    (tmp_path / "isthmus.toml").write_text('[isthmus]\nurl = "memory://"\n')
    (tmp_path / "other.toml").write_text('[isthmus]\nurl = "sqlite:///other.db"\n')
    with kind() as dal, kind(config_file="other.toml") as other:
        assert [dal.database.url, other.database.url] == ["memory://", "sqlite:///other.db"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_configuration_nothing_is_guessed(kind: Any) -> None:
    """The error says how a database is named."""
    with pytest.raises(ConfigurationError, match="ISTHMUS_URL"):
        kind().open()


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_opens_it_closes(kind: Any) -> None:
    """Also what a function opened for it; a second opening gives another one."""
    opened = []

    def connect() -> isthmus.Database:
        opened.append(isthmus.connect("memory://"))
        return opened[-1]

    dal = kind(connect)
    with dal as same:
        assert same is dal
        assert dal.open().database is opened[0]
    dal.close()
    with dal:
        assert dal.database is opened[1]
    for database in opened:
        with pytest.raises(Closed):
            database.tables.list()
    assert len(opened) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_was_given_stays_open(kind: Any) -> None:
    """Whoever opened it closes it; the DAL is ready at once."""
    with isthmus.connect("memory://") as database:
        dal = kind(database)
        assert dal.database is database
        dal.ensure().close()
        assert database.tables.list() != []
        with pytest.raises(Closed):
            dal.ensure()
        with dal:
            assert dal.database is database


@pytest.mark.parametrize("kind", KINDS)
def test_threads_open_one_database(kind: Any) -> None:
    """However many of them come first."""
    opened = []

    def connect() -> isthmus.Database:
        opened.append(isthmus.connect("memory://"))
        return opened[-1]

    dal = kind(connect)
    threads = [Thread(target=dal.open) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dal.close()
    assert len(opened) == 1


def test_use_before_opening_and_after_closing_is_refused() -> None:
    """The error says what is missing."""
    tasks, world = Tasks("memory://"), World("memory://")
    for use in (
        lambda: tasks.get("1", "a"),
        lambda: world.tasks,
        lambda: tasks.transaction().__enter__(),
        world.ensure,
    ):
        with pytest.raises(Closed, match="is not open: use it in a with block"):
            use()
    tasks.open().close()
    world.open().close()
    for late in (lambda: tasks.query("1"), lambda: world.tasks, lambda: tasks.bound_table, lambda: world.database):
        with pytest.raises(Closed, match="was closed"):
            late()
    assert not hasattr(World("memory://"), "nonsense")


def test_a_member_that_was_kept_ends_with_its_group() -> None:
    """It has the database's own error."""
    with World("memory://") as world:
        tasks = world.ensure().tasks
    with pytest.raises(Closed):
        tasks.find("1", "a")


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        (3, {}, "takes a URL, a Database or a function that opens one, not int"),
        (lambda: None, {"timeout": 1.0}, "'timeout' would have no effect"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_source_is_refused(kind: Any, source: Any, options: Any, reason: str) -> None:
    """When it is given."""
    with pytest.raises(InvalidArgument, match=reason):
        kind(source, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_that_opens_nothing_is_refused(kind: Any) -> None:
    """When it is called."""
    with pytest.raises(InvalidArgument, match="returned NoneType: it opens a database"):
        kind(lambda: None).open()


@pytest.mark.parametrize("kind", [*KINDS, *ASYNC_KINDS])
def test_sync_and_async_databases_are_told_apart(kind: Any) -> None:
    """Each takes its own kind."""

    async def run() -> None:
        async with isthmus.aconnect("memory://") as late:
            with isthmus.connect("memory://") as database:
                wrong = late if kind in KINDS else database
                with pytest.raises(
                    InvalidArgument, match=f"takes an? (Async)?Database, not an? {type(wrong).__name__}"
                ):
                    kind(wrong)

    asyncio.run(run())


@pytest.mark.parametrize("kind", ASYNC_KINDS)
def test_async_opening(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By configuration, by a function that opens, by a database that stays open."""
    monkeypatch.setenv("ISTHMUS_URL", "memory://")

    async def run() -> None:
        async with kind() as dal:
            assert (await dal.ensure()).database.url == "memory://"
            assert await dal.open() is dal
        with pytest.raises(Closed, match="was closed"):
            await dal.ensure()
        async with kind(lambda: isthmus.aconnect("memory://")) as dal:
            own = dal.database
        with pytest.raises(Closed):
            await own.tables.list()
        async with isthmus.aconnect("memory://") as database, kind(database) as dal:
            await dal.ensure()
            await dal.close()
            assert await database.tables.list() != []
        with pytest.raises(InvalidArgument, match="returned NoneType"):
            await kind(lambda: None).open()

    asyncio.run(run())


def test_a_sync_program_loads_no_async_half() -> None:
    """Nor does one without a DAL load the DAL."""
    code = "import sys, isthmus; isthmus.connect('memory://'); print('isthmus.dal' in sys.modules); isthmus.Dal"
    code += "; print('isthmus.async_database' in sys.modules, 'isthmus.dal.async_holding' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False", "False"]


def test_nothing_is_left_open_when_a_group_does_not_fit() -> None:
    """A failure while members are made closes what was opened for them."""
    opened = []

    def connect() -> isthmus.Database:
        opened.append(isthmus.connect("memory://"))
        opened[-1].repository(Task, model=isthmus.Model("things", "owner", "name"))  # another table of this name
        return opened[-1]

    with pytest.raises(InvalidArgument, match="differently"):
        World(connect).open()
    with pytest.raises(Closed):
        opened[0].tables.list()
