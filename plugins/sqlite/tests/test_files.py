"""Which files are opened, which are refused, and what a refusal leaves behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus.errors import ConfigurationError, IntegrityError, IsthmusError
from isthmus_sqlite.files import APPLICATION_ID, FORMAT
from isthmus_sqlite.options import database_path
from plugins.sqlite.tests.helpers import open_counters, url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite://", None),
        ("sqlite:///shop.db", "shop.db"),
        ("sqlite:///data/shop.db?synchronous=off", "data/shop.db"),
        ("sqlite:////var/shop.db", "/var/shop.db"),
        ("sqlite:///a%20b%23.db", "a b#.db"),
    ],
)
def test_paths(text: str, expected: str | None) -> None:
    """Three slashes begin a relative path, four an absolute one, none means memory."""
    assert database_path(urlsplit(text)) == expected


@pytest.mark.parametrize("text", ["sqlite://shop.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a#b.db"])
def test_odd_urls_are_refused(text: str) -> None:
    """A URL that names a host, no file or a fragment is refused."""
    with pytest.raises(ConfigurationError, match="sqlite"):
        database_path(urlsplit(text))


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
    with pytest.raises(expected):
        isthmus.connect(url(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]


def test_a_missing_folder_is_named_as_the_reason(tmp_path: Path) -> None:
    """A file in a folder that does not exist can't be opened, and repeating does not help."""
    with pytest.raises(IsthmusError, match="folder") as caught:
        isthmus.connect(url(tmp_path / "none" / "file.db"))
    assert not caught.value.retryable


def test_items_survive_closing(tmp_path: Path) -> None:
    """What was written is there when the file is opened again."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a", "n": 1})
    database.close()
    again, table = open_counters(tmp_path / "file.db")
    item = table.get(id="a")
    again.close()
    assert item == {"id": "a", "n": 1}


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    """The log is folded into the file when the last connection closes."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    database.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]


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
