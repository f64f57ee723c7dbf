"""The fixtures for programs' own tests, each in a run of pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit, urlunsplit

import pytest
from attrs import frozen

import isthmus
from isthmus_conformance.testing.leftovers import main

_SUMMARY = re.compile(r"(\d+) (passed|failed|error)")


@frozen
class Ran:
    """A finished run of pytest."""

    code: int
    output: str

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tests passed, failed, or met an error around them."""
        return {name: int(number) for number, name in _SUMMARY.findall(self.output.splitlines()[-1])}


Run = Callable[..., Ran]


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """The URL of a file that outlives a run."""
    return f"sqlite:///{tmp_path / 'stored.db'}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run has its files."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return tmp_path / "run"


@pytest.fixture
def run(folder: Path) -> Run:
    """Run one module of tests, in a process of its own: pytest in this one would load modules twice."""

    def run_module(text: str, *options: str, variables: Mapping[str, str] = {}) -> Ran:
        (folder / "test_it.py").write_text(dedent(text))
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")}
        environment = {**kept, **variables}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    return run_module


def tables_of(url: str) -> list[str]:
    """The names of all tables, as they are stored."""
    with isthmus.connect(url) as database:
        return database.tables.list()


ISOLATED = """
    import pytest

    @pytest.mark.parametrize("turn", [1, 2])
    def test_isolated(isthmus_database, isthmus_tables, turn):
        assert isthmus_database.tables.list() == []
        table = isthmus_tables("users", partition_key="id")
        assert table.scan().count() == 0
        table.put({"id": "a"})
        assert isthmus_database.tables.list() == ["users"]
        assert isthmus_database.tables.describe("users") == table.schema
        assert isthmus_database.tables.open("users").get(id="a") == {"id": "a"}
"""
USED = """
    import asyncio

    def test_everything(isthmus_database, isthmus_tables):
        users = isthmus_tables("users", partition_key="id", sort_key=("n", int), versioned=True)
        users.put_many([{"id": "a", "n": n} for n in range(30)]).raise_for_failures()
        assert [len(users.get_many([{"id": "a", "n": n} for n in range(3)]).items)] == [3]
        page = users.query(id="a").page(size=10)
        assert len(users.query(id="a").page(size=30, cursor=page.cursor).items) == 20
        logs = isthmus_tables("logs", partition_key="id")
        isthmus_database.transact_write([logs.actions.create({"id": "x"}), users.actions.delete(id="a", n=1)])
        assert isthmus_database.transact_get([logs.actions.get(id="x")]) == [{"id": "x"}]
        users.delete_many([{"id": "a", "n": n} for n in range(30)]).raise_for_failures()
        assert users.scan().count() == 0
        logs.drop()

    def test_async(isthmus_async_database, isthmus_async_tables, isthmus_seed):
        users = isthmus_async_tables("users", partition_key="id")
        assert isthmus_seed(users, [{"id": "a", "n": 1}]) == 1

        async def work():
            async with isthmus_async_database:
                await users.update(id="a", add={"n": 1})
                assert await users.get(id="a") == {"id": "a", "n": 2}
                assert await isthmus_async_database.tables.list() == ["users"]

        asyncio.run(work())

    def test_failing(isthmus_tables):
        isthmus_tables("users", partition_key="id").put({"id": "left by a failed test"})
        raise AssertionError
"""


def test_tests_are_isolated_in_memory(run: Run) -> None:
    """Each test finds an empty database, under the names that it uses itself."""
    ran = run(ISOLATED)
    assert ran.outcomes == {"passed": 2}, ran.output


def test_tests_are_isolated_in_a_shared_store(run: Run, stored: str) -> None:
    """Two tests, and a stranger, use one name at the same time."""
    with isthmus.connect(stored) as database:
        database.table("users", partition_key="id").ensure().put({"id": "stranger"})
        ran = run(ISOLATED, "--isthmus-url", stored)
        assert ran.outcomes == {"passed": 2}, ran.output
        assert database.tables.list() == ["users"]
        assert list(database.tables.open("users").scan()) == [{"id": "stranger"}]


@pytest.mark.parametrize("way", ["option", "variable", "ini"])
def test_the_url_may_come_from_three_places(run: Run, folder: Path, stored: str, way: str) -> None:
    """An option, a variable and the ini file; never the variable by which programs find their database."""
    variables = {"ISTHMUS_URL": "sqlite:////nowhere/else.db"}
    if way == "variable":
        variables["ISTHMUS_TEST_URL"] = stored
    if way == "ini":
        (folder / "pytest.ini").write_text(f"[pytest]\nisthmus_url = {stored}\n")
    text = """
        def test_backend(isthmus_database, isthmus_url):
            assert isthmus_url.startswith("sqlite:///")
            assert isthmus_database.backend_name == "sqlite"
    """
    ran = run(text, *(["--isthmus-url", stored] if way == "option" else []), variables=variables)
    assert ran.outcomes == {"passed": 1}, ran.output


def test_memory_is_the_default(run: Run) -> None:
    """Without any of them."""
    ran = run("def test_backend(isthmus_database):\n    assert isthmus_database.backend_name == 'memory'\n")
    assert ran.outcomes == {"passed": 1}, ran.output


def test_the_fixture_of_the_url_may_be_overridden(run: Run, stored: str) -> None:
    """With parameters, the same tests run on several stores."""
    text = f"""
        import pytest

        @pytest.fixture(params=["memory://", {stored!r}])
        def isthmus_url(request):
            return request.param

        def test_name(isthmus_database):
            assert isthmus_database.backend_name in ("memory", "sqlite")
    """
    ran = run(text)
    assert ran.outcomes == {"passed": 2}, ran.output


@pytest.mark.parametrize("engine", ["memory", "sqlite", "mongodb_url", "dynamodb_url"])
def test_fixtures_work_on_every_backend(run: Run, stored: str, request: pytest.FixtureRequest, engine: str) -> None:
    """Batches, cursors, transactions, async; after a failed test too nothing is left, and nothing else removed."""
    url = {"memory": "memory://", "sqlite": stored}.get(engine) or _own(request.getfixturevalue(engine))
    if engine == "memory":
        assert run(USED, "--isthmus-url", url).outcomes == {"passed": 2, "failed": 1}
        return
    with isthmus.connect(url) as database:
        mine = database.table("isthmus-test-of-mine", partition_key="id").ensure()
        try:
            ran = run(USED, "--isthmus-url", url)
            assert ran.outcomes == {"passed": 2, "failed": 1}, ran.output
            assert [name for name in database.tables.list() if name.startswith("isthmus-test")] == [mine.name]
        finally:
            mine.drop()


def _own(url: str) -> str:
    """The URL of a part of an engine that no other test uses."""
    if url.startswith("mongodb"):
        return urlunsplit(urlsplit(url)._replace(path="/fixtures"))
    return url.replace("access_key_id=x", "access_key_id=fixtures")


def test_a_table_of_a_closed_database_is_removed_too(run: Run, stored: str) -> None:
    """A program that closes its database takes nothing from the clean-up or from the next test."""
    text = """
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_closing(isthmus_database, isthmus_tables, turn):
            isthmus_tables("users", partition_key="id")
            isthmus_database.close()
    """
    ran = run(text, "--isthmus-url", stored)
    assert ran.outcomes == {"passed": 2}, ran.output
    assert tables_of(stored) == []


def test_errors_speak_of_the_programs_own_names(run: Run) -> None:
    """The prefix is nobody's business."""
    text = """
        import pytest
        from isthmus.errors import ItemNotFound, TableNotFound

        def test_messages(isthmus_database, isthmus_area):
            with pytest.raises(TableNotFound, match="^table 'users' does not exist") as raised:
                isthmus_database.table("users", partition_key="id").find(id="a")
            assert raised.value.table == "users"
            assert isthmus_area.prefix not in str(raised.value)
    """
    ran = run(text)
    assert ran.outcomes == {"passed": 1}, ran.output


def test_plugins_of_the_configuration_stay_active(run: Run, folder: Path) -> None:
    """Tests run with the program's own stack; layers see the program's own names."""
    (folder / "isthmus.toml").write_text('[isthmus]\nplugins = ["nobody"]\n')
    ran = run("def test_a(isthmus_database): pass\n")
    assert (ran.outcomes, "PluginError" in ran.output, "nobody" in ran.output) == ({"error": 1}, True, True)


def test_nothing_is_imported_by_a_run_that_uses_no_fixture(run: Run) -> None:
    """The plugin is loaded in every run where the kit is installed."""
    text = """
        import sys

        def test_modules():
            assert not {"isthmus", "hypothesis", "isthmus_conformance.testing.areas"} & set(sys.modules)
    """
    ran = run(text)
    assert ran.outcomes == {"passed": 1}, ran.output


def test_json_lines_are_read_from_beside_the_test(run: Run, folder: Path) -> None:
    """As `isthmus tables export` wrote them: sets, exact numbers, versions."""
    (folder / "users.jsonl").write_text(
        '{"id": "a", "n": 1.50, "tags": {"$set": ["x"]}, "version": 7}\n\n{"id": "b"}\n'
    )
    text = """
        from decimal import Decimal

        def test_seeded(isthmus_tables, isthmus_seed):
            users = isthmus_tables("users", partition_key="id", versioned=True)
            assert isthmus_seed(users, "users.jsonl") == 2
            assert users.get(id="a") == {"id": "a", "n": Decimal("1.5"), "tags": {"x"}, "version": 7}
    """
    ran = run(text)
    assert ran.outcomes == {"passed": 1}, ran.output


def test_repositories_are_isolated_and_seeded(run: Run, stored: str) -> None:
    """By the class's own table name, sync and async, with unique values, over one shared store."""
    text = """
        import asyncio
        from typing import ClassVar

        import attrs
        import pytest
        from isthmus.errors import UniqueViolation
        from isthmus.repository import Model

        @attrs.define
        class User:
            __isthmus__: ClassVar[Model] = Model(table="users", partition_key="id", unique=["email"])
            id: str
            email: str

        @pytest.mark.parametrize("turn", [1, 2])
        def test_users(isthmus_repositories, isthmus_async_repositories, isthmus_seed, turn):
            users = isthmus_repositories(User)
            assert isthmus_seed(users, [User("a", "a@x"), User("b", "b@x")]) == 2
            assert isthmus_seed(users, [{"id": "c", "email": "c@x"}]) == 1
            with pytest.raises(UniqueViolation):
                users.create(User("d", "a@x"))
            ausers = isthmus_async_repositories(User)
            assert isthmus_seed(ausers, [User("e", "e@x")]) == 1
            assert asyncio.run(ausers.get(id="a")) == User("a", "a@x")
    """
    ran = run(text, "--isthmus-url", stored)
    assert ran.outcomes == {"passed": 2}, ran.output
    assert tables_of(stored) == []


def test_a_bad_line_is_named(run: Run, folder: Path) -> None:
    """With file and number."""
    (folder / "users.jsonl").write_text('{"id": "a"}\n{"id": 5}\n')
    text = """
        import pytest
        from isthmus.jsonlines import BadLine

        def test_seeded(isthmus_tables, isthmus_seed):
            with pytest.raises(BadLine, match="users.jsonl:2"):
                isthmus_seed(isthmus_tables("users", partition_key="id"), "users.jsonl")
    """
    ran = run(text)
    assert ran.outcomes == {"passed": 1}, ran.output


def test_the_seed_of_made_up_items_is_printed(run: Run, folder: Path) -> None:
    """By a failed test; with it the same items come again."""
    text = """
        from pathlib import Path

        def test_made_up(isthmus_tables, isthmus_items):
            users = isthmus_tables("users", partition_key="id")
            items = isthmus_items(users, name=str).many(3)
            with Path("items.txt").open("a") as file:
                print(items, file=file)
            assert not items
    """
    first = run(text)
    seed = next(line for line in first.output.splitlines() if "--isthmus-seed" in line).split()[-1]
    again, other = run(text, "--isthmus-seed", seed), run(text, "--isthmus-seed", "1")
    assert [ran.outcomes for ran in (first, again, other)] == [{"failed": 1}] * 3
    lines = (folder / "items.txt").read_text().splitlines()
    assert [lines[0] == line for line in lines[1:]] == [True, False]


KILLED = """
    import os

    def test_killed(isthmus_tables):
        isthmus_tables("users", partition_key="id")
        os._exit(9)
"""


def test_leftovers_of_a_killed_run_are_removed(run: Run, stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of old runs, by a command; never other tables, and not those of a run that may be at work."""
    assert run(KILLED, "--isthmus-url", stored).code == 9
    (left,) = tables_of(stored)
    others = ["isthmus-test-users", "isthmus-test-00000000-users", "my-isthmus-test-00000000-00000000-1-users"]
    with isthmus.connect(stored) as database:
        for name in others:
            database.table(name, partition_key="id").ensure()
    assert main([stored, "--remove"]) == 0
    assert tables_of(stored) == sorted([left, *others])
    assert main([stored, "--older-than=-5"]) == 0
    assert capsys.readouterr().out == f"{left}\n"
    assert main([stored, "--older-than=-5", "--remove"]) == 0
    assert tables_of(stored) == sorted(others)


def test_the_command_reports_a_store_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason and an exit code."""
    assert main(["nothing://here"]) == 1
    assert "nothing" in capsys.readouterr().err
