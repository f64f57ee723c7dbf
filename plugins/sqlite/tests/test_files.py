"""Which files are opened, which are refused, and what a refusal leaves behind."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus.errors import ConfigurationError, IntegrityError, IsthmusError, Unavailable
from isthmus_sqlite.failures import translate
from isthmus_sqlite.files import APPLICATION_ID, FORMAT
from isthmus_sqlite.options import Options, check_exists, database_path
from plugins.sqlite.tests.helpers import open_counters, url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite://", None),
        ("sqlite:///shop.db", "/here/shop.db"),
        ("sqlite:///data/shop.db?synchronous=off", "/here/data/shop.db"),
        ("sqlite:////var/shop.db", "/var/shop.db"),
        ("sqlite:///a%20b%23.db", "/here/a b#.db"),
    ],
)
def test_paths(monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None) -> None:
    """Three slashes begin a relative path, four an absolute one, none means memory."""
    monkeypatch.setattr(os, "getcwd", lambda: "/here")
    assert database_path(urlsplit(text)) == expected


@pytest.mark.parametrize(
    "text", ["sqlite://shop.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a#b.db", "sqlite:shop.db"]
)
def test_odd_urls_are_refused(text: str) -> None:
    """A URL that names a host, no file or a fragment is refused."""
    with pytest.raises(ConfigurationError, match="sqlite"):
        database_path(urlsplit(text))


def test_a_path_without_slashes_is_told_how_to_write_it() -> None:
    """Cutting off its first character would open another file."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///shop\.db"):
        database_path(urlsplit("sqlite:hop.db"))


def test_messages_show_no_password() -> None:
    """What stands in a host's place is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        database_path(urlsplit("sqlite://user:SECRET@host/shop.db"))
    assert [part for part in ("user", "SECRET", "host") if part in str(caught.value)] == []


def test_a_relative_path_stays_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that connect after the current folder was changed use the file that was opened."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    with isthmus.connect("sqlite:///file.db") as database:
        table = database.table("counters", partition_key="id").ensure()
        monkeypatch.chdir(tmp_path / "sub")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(table.put, {"id": "a"}).result()
        found = table.find(id="a")
    assert (found, list((tmp_path / "sub").iterdir())) == ({"id": "a"}, [])


def test_a_folder_that_is_gone_is_named_as_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path needs a current folder."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    (tmp_path / "sub").rmdir()
    with pytest.raises(ConfigurationError, match="current folder"):
        database_path(urlsplit("sqlite:///file.db"))


def replaced(path: Path) -> None:
    """Another file takes the path."""
    other = path.with_name("other.db")
    open_counters(other)[0].close()
    other.replace(path)


@pytest.mark.parametrize("change", [replaced, Path.unlink])
@pytest.mark.parametrize("write", ["put", "update", "put_many"])
def test_a_file_that_is_no_longer_there_is_not_written(
    tmp_path: Path, change: Callable[[Path], None], write: str
) -> None:
    """A write into a file that nobody will open again is refused, not acknowledged."""
    path = tmp_path / "file.db"
    database, table = open_counters(path)
    writes: dict[str, Callable[[], object]] = {
        "put": lambda: table.put({"id": "a"}),
        "update": lambda: table.update(id="a", add={"n": 1}, upsert=True),
        "put_many": lambda: table.put_many([{"id": "a"}]),
    }
    change(path)
    with pytest.raises(Unavailable, match="replaced or removed") as caught:
        writes[write]()
    database.close()
    assert (caught.value.retryable, caught.value.maybe_applied) == (False, False)


def test_a_removed_file_is_not_made_anew_by_another_thread(tmp_path: Path) -> None:
    """A thread that connects later, as this one keeps its connection, finds out too."""
    database, table = open_counters(tmp_path / "file.db")
    database.native()
    (tmp_path / "file.db").unlink()
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable):
        pool.submit(table.find, id="a").result()
    database.close()
    assert not (tmp_path / "file.db").exists()


def test_options_are_read_from_text(tmp_path: Path) -> None:
    """Options of a URL are text."""
    url = f"sqlite:///{tmp_path}/shop.db?synchronous=normal&busy_timeout=0.5&cache_mb=2&threads=3&create=yes"
    with isthmus.connect(url) as database:
        assert database.native().execute("PRAGMA synchronous").fetchone() == (1,)


def test_an_unknown_option_names_the_nearest_one(tmp_path: Path) -> None:
    """A misspelt option is refused with the nearest valid name."""
    with pytest.raises(ConfigurationError, match="did you mean synchronous"):
        isthmus.connect(f"sqlite:///{tmp_path}/shop.db?syncronous=off")
    assert not (tmp_path / "shop.db").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("synchronous", "some"), ("busy_timeout", "-1"), ("busy_timeout", "nan"), ("threads", "many"), ("create", "2")],
)
def test_bad_values_are_refused(tmp_path: Path, name: str, value: str) -> None:
    """Each option checks its value, before there is a file."""
    with pytest.raises(ConfigurationError, match=name):
        isthmus.connect(f"sqlite:///{tmp_path}/shop.db?{name}={value}")
    assert not (tmp_path / "shop.db").exists()


def test_a_missing_file_can_be_refused(tmp_path: Path) -> None:
    """Where nothing is to be created, a wrong path is a mistake."""
    with pytest.raises(ConfigurationError, match="no database file"):
        isthmus.connect(f"sqlite:///{tmp_path}/shop.db?create=no")
    assert not (tmp_path / "shop.db").exists()


def foreign(path: Path) -> None:
    """A database of another program."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")


def foreign_application(path: Path) -> None:
    """One that says which program it belongs to."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.execute("CREATE TABLE other (x)")


def newer(path: Path) -> None:
    """A file of ours in a later format."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
        connection.execute("CREATE TABLE isthmus_tables (x)")


def text_file(path: Path) -> None:
    """No database at all."""
    path.write_text("not a database at all\n" * 200, encoding="utf-8")


def wide_text(path: Path) -> None:
    """An empty database whose strings would be in the order of UTF-16."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        connection.execute("CREATE TABLE other (x)")
        connection.execute("DROP TABLE other")
        connection.execute("VACUUM")


def damaged(path: Path) -> None:
    """A database of ours with overwritten bytes."""
    database, _table = open_counters(path)
    database.close()
    path.write_bytes(path.read_bytes()[:50] + b"\xff" * 2_000)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (foreign, ConfigurationError),
        (foreign_application, ConfigurationError),
        (newer, ConfigurationError),
        (text_file, IntegrityError),
        (wide_text, ConfigurationError),
        (damaged, IntegrityError),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_unchanged(
    tmp_path: Path, make: object, expected: type[IsthmusError]
) -> None:
    """What is no database of ours, or a newer one, is refused without a byte being written."""
    path = tmp_path / "file.db"
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(expected, match=re.escape(repr(str(path)))):
        isthmus.connect(url(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("folder", "it is a directory"),
        ("none/file.db", "the folder '{}/none' does not exist"),
        ("text/file.db", "'{}/text' is no folder"),
        ("x" * 300, "check its name"),
    ],
)
def test_a_file_that_cant_be_opened_is_named_with_the_reason(tmp_path: Path, path: str, reason: str) -> None:
    """Repeating does not help, and nothing is created."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("mine")
    with pytest.raises(Unavailable) as caught:
        isthmus.connect(url(tmp_path / path))
    assert caught.value.message.startswith(f"the database file {str(tmp_path / path)!r} can't be opened: ")
    assert (reason.format(tmp_path) in caught.value.message, caught.value.retryable) == (True, False)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "text"]


@pytest.mark.parametrize("exists", [True, False])
def test_missing_permission_is_named_as_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """A file that may not be read, and a folder in which none may be made."""
    path = tmp_path / "file.db"
    if exists:
        path.touch()
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    # Not by chmod(): tests may run as a user who may do everything.
    monkeypatch.setattr(os, "access", lambda _path, mode: mode == os.F_OK)
    failure = translate(error, writes=False, path=str(path))
    assert (type(failure), "there is no permission" in str(failure)) == (Unavailable, True)


def test_a_file_that_may_not_be_looked_at_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it exists is unknown, so opening it tells."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    check_exists("/locked/file.db", Options(create=False))


def test_items_survive_closing(tmp_path: Path) -> None:
    """What was written is there when the file is opened again."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a", "n": 1})
    database.close()
    again, table = open_counters(tmp_path / "file.db")
    item = table.get(id="a")
    again.close()
    assert item == {"id": "a", "n": 1}


def test_full_synchronisation_is_the_default(tmp_path: Path) -> None:
    """A commit waits for the disk unless an option says otherwise."""
    levels = []
    for query in ("", "?synchronous=normal", "?synchronous=off"):
        database, _table = open_counters(tmp_path / "file.db", query)
        levels.append(database.native().execute("PRAGMA synchronous").fetchone()[0])
        database.close()
    assert levels == [2, 1, 0]


@pytest.mark.parametrize(
    ("source", "durable", "shared"),
    [("sqlite://", False, False), ("file", True, True), ("?synchronous=normal", False, True)],
)
def test_capabilities_follow_the_url(tmp_path: Path, source: str, durable: bool, shared: bool) -> None:
    """Only a file that is synchronised fully is durable, and only a file is shared."""
    target = source if source == "sqlite://" else url(tmp_path / "x.db", source.removeprefix("file"))
    with isthmus.connect(target) as database:
        levels = database.capabilities
    assert (levels.supports(isthmus.Capability.DURABLE), levels.supports(isthmus.Capability.SHARED_BY_PROCESSES)) == (
        durable,
        shared,
    )
