"""Places that are one however they are spelled, and tables of one place that are not."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

import isthmus
from isthmus_migration.errors import PlanRefused
from isthmus_migration.migration import Migration
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.places.identities import Identity, folder_identity
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.references import reference_to
from isthmus_migration.plans.plan import PlacePlan
from isthmus_migration.transforms import Transform
from plugins.migration.tests.plans.helpers import contents, filled, numbered, planned, refused, sqlite


def _identity(url: str) -> Identity:
    with open_place(PlacePlan(reference_to(url)), url) as place:
        return place.identity


def _mongodb(url: str, database: str, more: str = "") -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}", query="&".join(filter(None, (parts.query, more)))))


def test_a_file_is_one_through_links_other_spellings_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration onto itself is refused, whatever is said of existing items."""
    url = filled(sqlite(tmp_path, "source"), numbered(3))
    (tmp_path / "linked.db").symlink_to(tmp_path / "source.db")
    (tmp_path / "hard.db").hardlink_to(tmp_path / "source.db")
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.setenv("PLANS_SAME", url)
    monkeypatch.chdir(tmp_path)
    others = (
        url, "env:PLANS_SAME", "sqlite:///source.db", sqlite(tmp_path, "linked"), sqlite(tmp_path, "hard"),
        sqlite(tmp_path / "folder", "source"), sqlite(tmp_path, "folder/../source"),
    )  # fmt: skip
    for other in others:
        error = refused(tmp_path, target=other, into_existing="upsert")
        assert "the same place" in str(error), other
    assert not _identity(url).same(_identity(filled(sqlite(tmp_path, "other"), [])))


def test_tables_of_one_database_can_be_moved_into_others(tmp_path: Path) -> None:
    """With other names, that is."""
    url = filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path, target=url, transforms={"things": Transform(into="copies")})
    assert migration.run(engine="inline").finished
    assert contents(url, "copies") == contents(url)


def test_two_tables_of_one_database_can_not_change_places(tmp_path: Path) -> None:
    """Each would be read while it is written to."""
    for name in ("first", "second"):
        filled(sqlite(tmp_path, "source"), numbered(3), isthmus.Table(name, "id"))
    swap = {"first": Transform(into="second"), "second": Transform(into="first")}
    error = refused(tmp_path, target=sqlite(tmp_path, "source"), transforms=swap, into_existing="upsert")
    assert len(error.problems) == 2


def test_a_mongodb_server_is_one_by_all_of_its_names(mongodb_url: str) -> None:
    """By its address, its host's names, and with or without the name of its replica set."""
    here = _identity(_mongodb(mongodb_url, "isthmus-plans"))
    port = urlsplit(mongodb_url).port
    for other in (
        f"mongodb://localhost:{port}/isthmus-plans?directConnection=true",
        _mongodb(mongodb_url, "isthmus-plans"),
    ):
        assert here.same(_identity(other))
    assert not here.same(_identity(_mongodb(mongodb_url, "isthmus-plans-other")))


def test_two_mongodb_servers_are_two(mongodb_url: str, mongodb_standalone_url: str) -> None:
    """Also with the same database."""
    assert not _identity(_mongodb(mongodb_url, "one")).same(_identity(_mongodb(mongodb_standalone_url, "one")))


def test_prefixes_set_tables_apart(mongodb_url: str) -> None:
    """They are one place, whose tables have other names."""
    here = _identity(_mongodb(mongodb_url, "isthmus-plans", "prefix=a_"))
    there = _identity(_mongodb(mongodb_url, "isthmus-plans", "prefix=b_"))
    assert here.same(there)
    assert (here.stored_name("t"), there.stored_name("t")) == ("a_t", "b_t")


def test_a_dynamodb_service_is_one_by_endpoint_region_and_caller(dynamodb_url: str) -> None:
    """Callers of a local service have tables of their own."""
    here = _identity(dynamodb_url)
    assert here.same(_identity(dynamodb_url.replace("127.0.0.1", "localhost")))
    assert not here.same(_identity(dynamodb_url.replace("access_key_id=", "access_key_id=other")))
    parts = urlsplit(dynamodb_url)
    assert not here.same(_identity(urlunsplit(parts._replace(netloc="eu-north-1"))))
    assert "secret" not in repr(here)


def test_a_service_that_is_given_opened_is_the_one_that_is_named(dynamodb_url: str) -> None:
    """Its URL has no secrets any more, but its driver knows who calls."""
    other = dynamodb_url.replace("access_key_id=", "access_key_id=other")
    with isthmus.connect(dynamodb_url) as database, isthmus.connect(other) as stranger:
        assert DatabasePlace(database).identity.same(_identity(dynamodb_url))
        assert not DatabasePlace(database).identity.same(DatabasePlace(stranger).identity)


def test_a_plan_is_carried_out_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder it is run from: relative names mean what they meant."""
    filled(sqlite(tmp_path, "source file"), numbered(3))
    monkeypatch.chdir(tmp_path)
    Migration.plan("sqlite:///source%20file.db?busy_timeout=1", "export", workdir="work")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert Migration.open(tmp_path / "work").run(engine="inline").finished
    assert ((tmp_path / "export").is_dir(), list(elsewhere.iterdir())) == (True, [])


def test_a_folder_is_one_through_links(tmp_path: Path) -> None:
    """By where it really is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert folder_identity(str(tmp_path / "link")).same(folder_identity(f"{tmp_path}/real/../real"))
    assert not folder_identity(str(tmp_path)).same(folder_identity(str(tmp_path / "real")))


@pytest.mark.parametrize("target", ["{}/export/sub", "sqlite:///{}/export/things/target.db", "{}/link/things/sub"])
def test_nothing_is_written_into_an_export_that_is_read(tmp_path: Path, target: str) -> None:
    """A file that its manifest does not know would make it a damaged one."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    assert planned(tmp_path, target=str(tmp_path / "export")).run(engine="inline").finished
    (tmp_path / "link").symlink_to(tmp_path / "export")
    with pytest.raises(PlanRefused, match="lies in the export"):
        Migration.plan(str(tmp_path / "export"), target.format(tmp_path), workdir=tmp_path / "again")


def test_databases_in_memory_are_each_their_own() -> None:
    """Nothing but the process's own object can be the same."""
    assert not _identity("memory://").same(_identity("memory://"))
    assert not _identity("sqlite://").same(_identity("sqlite://"))


def test_no_secret_gets_into_the_work_directory(tmp_path: Path, dynamodb_url: str) -> None:
    """A URL that holds one has to be given again; one in a variable has not."""
    secret = "isthmus-plans-secret"
    target = dynamodb_url.replace("secret_access_key=", f"secret_access_key={secret}")
    filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path, target=target)
    written = [path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert [text for text in written if secret.encode() in text] == []
    with pytest.raises(isthmus.errors.ConfigurationError, match="give it again"):
        Migration.open(tmp_path / "work").run(engine="inline")
    assert migration.preflight is not None
