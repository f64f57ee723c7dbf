"""Databases that are open already, as sources and targets."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

import isthmus
from isthmus import Database, RetryPolicy
from isthmus.errors import ConfigurationError, InvalidArgument, Throttled
from isthmus.memory import MemoryBackend
from isthmus.operations import Operation, PutMany
from isthmus.results import Result
from isthmus_migration import Migration, verify

LMDB = Path(__file__).parents[4] / "docs" / "examples" / "isthmus-lmdb" / "src"


@pytest.fixture
def source() -> Iterator[Database]:
    """A database in memory with 300 items."""
    with isthmus.connect("memory://") as database:
        fill(database)
        yield database


@pytest.fixture
def target() -> Iterator[Database]:
    """An empty database in memory."""
    with isthmus.connect("memory://") as database:
        yield database


def fill(database: Database) -> None:
    """Put 300 items into the table ``things``."""
    things = database.table("things", partition_key="id", sort_key=("n", int), versioned=True).ensure()
    for number in range(0, 300, 100):
        things.put_many([{"id": f"a{n % 7}", "n": n, "tags": {"x", "y"}} for n in range(number, number + 100)])


@pytest.mark.parametrize("engine", ["inline", "threads", None])
def test_opened_databases_are_copied_and_stay_open(
    source: Database, target: Database, tmp_path: Path, engine: str | None
) -> None:
    """Everything works between databases that exist in this process only; whoever opened them closes them."""
    migration = Migration.plan(source, target, workdir=tmp_path / "work")
    assert migration.run(engine=engine).finished
    assert migration.verify(engine=engine).equal
    assert target.tables.open("things").scan().count() == 300
    assert migration.rollback(engine=engine).finished
    assert target.tables.list() == []
    assert source.tables.list() == ["things"]


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_engines_of_other_processes_are_refused(
    source: Database, target: Database, tmp_path: Path, engine: str
) -> None:
    """A worker elsewhere would find another database, or none; the message names the engines that can."""
    migration = Migration.plan(source, target, workdir=tmp_path / "work")
    with pytest.raises(InvalidArgument, match="open in this process: use the engine threads or inline"):
        migration.run(engine=engine)
    assert migration.status().state == "planned"
    assert target.tables.list() == []


class Busy(MemoryBackend):
    """Turns the first two batches of each copy away."""

    turned_away = 0

    def execute(self, operation: Operation) -> Result:
        if isinstance(operation, PutMany) and self.turned_away < 2:
            self.turned_away += 1
            raise Throttled("too much at once")
        return super().execute(operation)


def test_what_an_opened_target_turns_away_is_counted(source: Database, tmp_path: Path) -> None:
    """As for one that the migration opens itself, although it was opened without anything that counts."""
    with isthmus.connect(Busy(), retry_policy=RetryPolicy(base=0, cap=0)) as target:
        migration = Migration.plan(source, target, workdir=tmp_path / "work", units=1)
        assert migration.run().finished
    (counted,) = migration.status().tables
    assert (counted.written, counted.retried, counted.throttled) == (300, 2, 2)


def test_a_migration_is_resumed_with_the_databases_given_again(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """The plan can't keep what is open."""
    Migration.plan(source, target, workdir=tmp_path / "work")
    again = Migration.open(tmp_path / "work", source=source, target=target)
    assert again.run().finished
    assert again.verify().equal


def test_without_the_databases_it_says_to_give_them(source: Database, target: Database, tmp_path: Path) -> None:
    """Also where a URL is given: the plan was made with what the opened database is."""
    Migration.plan(source, target, workdir=tmp_path / "work")
    with pytest.raises(ConfigurationError, match=r"opened database .* give it again, with Migration.open"):
        Migration.open(tmp_path / "work").run(engine="inline")
    with pytest.raises(ConfigurationError, match="give it again"):
        Migration.open(tmp_path / "work", source="memory://", target="memory://").run(engine="inline")


def test_another_opened_database_is_refused(source: Database, tmp_path: Path) -> None:
    """Where a plan was made with a URL, or with a database of another one."""
    target = f"sqlite:///{tmp_path}/target.db"
    Migration.plan(source, target, workdir=tmp_path / "work")
    with isthmus.connect(target) as opened:
        for given in ({"source": source, "target": opened}, {"source": opened}):
            with pytest.raises(ConfigurationError, match="is not what the plan was made with"):
                Migration.open(tmp_path / "work", **given).run(engine="inline")


@pytest.mark.parametrize("url", ["memory://", "sqlite://", "sqlite:///", "sqlite://?busy_timeout=1"])
def test_a_url_of_a_database_in_memory_is_refused(
    source: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Each opening of it is another, empty database, so nothing could ever arrive."""
    monkeypatch.setenv("FLEETING", url)
    for place in (url, "env:FLEETING"):
        with pytest.raises(InvalidArgument, match=r"each opening of .* give the database itself"):
            Migration.plan(source, place, workdir=tmp_path / "work")
        with pytest.raises(InvalidArgument, match="give the database itself"):
            verify(place, source)
    assert not (tmp_path / "work").exists()


def test_opened_databases_are_compared_without_a_migration(source: Database, target: Database) -> None:
    """As any two places."""
    fill(target)
    assert verify(source, target).equal
    target.tables.open("things").delete(id="a1", n=8)
    assert not verify(source, target).equal


def test_nothing_of_an_opened_database_but_its_url_is_written(source: Database, tmp_path: Path) -> None:
    """Its URL without secrets is what people know it by."""
    Migration.plan(source, f"sqlite:///{tmp_path}/target.db", workdir=tmp_path / "work")
    assert Migration.open(tmp_path / "work").the_plan.source.reference.text == "memory://"


def test_no_secret_of_an_opened_database_reaches_the_work_directory(dynamodb_url: str, tmp_path: Path) -> None:
    """Neither into the plan nor into journal, events and reports."""
    secret, owner = f"hidden{secrets.token_hex(8)}", f"open{secrets.token_hex(4)}"
    parts = urlsplit(dynamodb_url)
    query = {**dict(parse_qsl(parts.query)), "access_key_id": owner, "secret_access_key": secret}
    with isthmus.connect(parts._replace(query=urlencode(query)).geturl()) as source:
        fill(source)
        try:
            migration = Migration.plan(source, f"sqlite:///{tmp_path}/target.db", workdir=tmp_path / "work")
            assert migration.run().finished
            assert migration.verify("full").equal
        finally:
            source.tables.drop("things")
    files = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert len(files) > 6
    assert [path.name for path in files if secret.encode() in path.read_bytes()] == []


# ---- a backend of somebody else's ----


@pytest.fixture
def lmdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database of the LMDB example, which knows nothing of migrations."""
    monkeypatch.syspath_prepend(str(LMDB))
    backend, files = import_module("isthmus_lmdb.backend"), import_module("isthmus_lmdb.files")
    with isthmus.connect(backend.LMDBBackend(files.acquire(f"{tmp_path}/things.lmdb", 2**28))) as database:
        yield database


def test_a_third_party_backend_is_a_target_without_code_of_its_own(
    source: Database, lmdb: Database, tmp_path: Path
) -> None:
    """Whatever passes the conformance kit can be written, verified and rolled back."""
    migration = Migration.plan(source, lmdb, workdir=tmp_path / "work")
    assert migration.run().finished
    assert migration.verify().equal
    assert lmdb.tables.open("things").scan().count() == 300
    assert migration.rollback().finished
    assert lmdb.tables.list() == []


def test_a_third_party_backend_is_a_source_without_code_of_its_own(
    lmdb: Database, target: Database, tmp_path: Path
) -> None:
    """It is read in segments, side by side."""
    fill(lmdb)
    migration = Migration.plan(lmdb, target, workdir=tmp_path / "work", units=3)
    assert len(migration.the_plan.units()) == 3
    assert migration.run().finished
    assert migration.verify("full").equal
    assert target.tables.open("things").scan().count() == 300
