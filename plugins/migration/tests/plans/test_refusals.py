"""Plans that can't work: refused with every reason at once, and nothing is written anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

import isthmus
from isthmus import Capability, Index, Table
from isthmus.capabilities import Support, Unsupported
from isthmus.errors import AlreadyExists, ConfigurationError, InvalidArgument, TableNotFound
from isthmus_migration.errors import ExportDamaged, PlanRefused
from isthmus_migration.migration import Migration
from isthmus_migration.places.needs import unmet_needs
from isthmus_migration.transforms import Transform
from plugins.migration.tests.plans.helpers import THINGS, contents, filled, numbered, planned, refused, sqlite


def test_a_target_that_holds_items_is_refused_unless_something_is_said(tmp_path: Path) -> None:
    """Nobody's data is overwritten by default."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    filled(sqlite(tmp_path, "target"), [{"id": "other", "n": 1}])
    (problem,) = refused(tmp_path).problems
    assert "holds items" in problem
    assert planned(tmp_path, into_existing="skip").the_plan.tables[0].occupied


def test_a_target_table_with_another_definition_is_refused(tmp_path: Path) -> None:
    """Each difference is named."""
    filled(sqlite(tmp_path, "source"), numbered(3), Table("things", "id", ttl="gone"))
    with isthmus.connect(sqlite(tmp_path, "target")) as database:
        database.tables.create(Table("things", ("n", int)))
    (problem,) = refused(tmp_path).problems
    assert all(part in problem for part in ("partition_key", "ttl"))


def test_all_reasons_are_given_at_once(tmp_path: Path) -> None:
    """So that nobody has to plan ten times."""
    for name in ("first", "second"):
        filled(sqlite(tmp_path, "source"), [{"id": "a"}], Table(name, "id"))
        filled(sqlite(tmp_path, "target"), [{"id": "b"}], Table(name, "id"))
    assert len(refused(tmp_path).problems) == 2


def test_two_tables_can_not_be_moved_into_one(tmp_path: Path) -> None:
    """Their keys could collide."""
    for name in ("first", "second"):
        filled(sqlite(tmp_path, "source"), [{"id": "a"}], Table(name, "id"))
    (problem,) = refused(tmp_path, transforms={"first": Transform(into="second")}).problems
    assert "'second'" in problem


def test_a_source_without_tables_is_refused_and_one_without_items_is_not(tmp_path: Path) -> None:
    """An empty table is moved as such."""
    with isthmus.connect(sqlite(tmp_path, "source")) as database:
        database.tables.list()
    assert "no tables" in str(refused(tmp_path))
    with isthmus.connect(sqlite(tmp_path, "source")) as database:
        database.tables.create(THINGS)
    assert planned(tmp_path).run(engine="inline").finished
    assert contents(sqlite(tmp_path, "target")) == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"tables": ["nothing"]}, TableNotFound, "nothing"),
        ({"units": 0}, InvalidArgument, "units"),
        ({"units": 1_000_000}, InvalidArgument, "at most 10,000 units"),
        ({"sample": 0}, InvalidArgument, "sample"),
        ({"workers": "2"}, InvalidArgument, "workers is a positive whole number"),
        ({"transforms": {"things": {"drop": ["n"]}}}, InvalidArgument, "give a Transform"),
        ({"into_existing": "replace"}, InvalidArgument, "upsert"),
        ({"format": "jsonl"}, InvalidArgument, "format"),
        ({"mapping": "missing.toml"}, ConfigurationError, "missing.toml"),
        ({"mapping": {"things": {"renam": {}}}}, ConfigurationError, "renam"),
        ({"mapping": {"thing": {"drop": ["n"]}}}, InvalidArgument, "'thing'"),
        ({"mapping": {"things": {"drop": ["id"]}}}, ConfigurationError, "key attribute"),
        ({"mapping": {"things": {"function": "nobody.knows:me"}}}, ConfigurationError, "nobody"),
        ({"mapping": {"things": {"drop": ["n"]}}, "transforms": {"things": Transform()}}, InvalidArgument, "mapping"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """With what is wrong, and nothing is left behind."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    with pytest.raises(error, match=said):
        planned(tmp_path, **options)
    assert [path.name for path in tmp_path.iterdir() if "target" in path.name or path.name == "work"] == []


def test_a_source_that_is_missing_is_not_made(tmp_path: Path) -> None:
    """A mistyped name leaves no empty file behind."""
    with pytest.raises(ConfigurationError):
        planned(tmp_path)
    with pytest.raises(ExportDamaged):
        planned(tmp_path, source=str(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []


def test_planning_does_not_make_the_target(tmp_path: Path) -> None:
    """A plan is written down, and nothing else."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    planned(tmp_path)
    Migration.plan(sqlite(tmp_path, "source"), str(tmp_path / "export"), workdir=tmp_path / "work2")
    assert sorted(path.name for path in tmp_path.iterdir() if "source" not in path.name) == ["work", "work2"]


def test_a_target_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    """While it is planned, not when the copy begins."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    with pytest.raises(ConfigurationError, match="nowhere"):
        planned(tmp_path, target=f"sqlite:///{tmp_path}/nowhere/target.db")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for folder in ("file/export", "link"):
        with pytest.raises(ConfigurationError, match="can't be made"):
            planned(tmp_path, target=str(tmp_path / folder))


@pytest.mark.parametrize("place", [None, 5, b"sqlite:///x.db", Path("export"), "zero\0byte", "sqlite:///zero\0byte.db"])
def test_what_names_no_place_is_refused(tmp_path: Path, place: Any) -> None:
    """With what does, were it the source or the target."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    for ends in ((place, sqlite(tmp_path, "target")), (sqlite(tmp_path, "source"), place)):
        with pytest.raises(InvalidArgument, match="place"):
            Migration.plan(*ends, workdir=tmp_path / "work")


@pytest.mark.parametrize(("export", "work"), [("export", "export"), ("export", "export/work"), ("work/images", "work")])
def test_a_work_directory_and_an_export_do_not_lie_in_each_other(tmp_path: Path, export: str, work: str) -> None:
    """Files of the one would be taken for files of the other, when nobody is there to see."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    with pytest.raises(InvalidArgument, match="lie in each other"):
        Migration.plan(sqlite(tmp_path, "source"), str(tmp_path / export), workdir=tmp_path / work)
    assert not (tmp_path / work).exists()


def test_a_work_directory_that_is_not_free_is_refused(tmp_path: Path) -> None:
    """It may be another migration's."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    planned(tmp_path)
    before = (tmp_path / "work" / "plan.json").read_bytes()
    with pytest.raises(AlreadyExists, match="resume"):
        planned(tmp_path)
    assert (tmp_path / "work" / "plan.json").read_bytes() == before


def test_a_work_directory_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    """Beneath a file, say, or where nobody may write."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "work", Path("/proc/work"), tmp_path / "zero\0byte"):
        with pytest.raises(ConfigurationError, match="work directory"):
            Migration.plan(sqlite(tmp_path, "source"), sqlite(tmp_path, "target"), workdir=folder)


def test_a_secret_that_is_missing_is_named_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, not what should be in it."""
    monkeypatch.delenv("PLANS_SOURCE", raising=False)
    with pytest.raises(ConfigurationError, match="PLANS_SOURCE is not set"):
        planned(tmp_path, source="env:PLANS_SOURCE")


def test_names_that_belong_to_the_target_are_refused(tmp_path: Path, mongodb_url: str) -> None:
    """Table names are portable, but some are a store's own."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    target = urlunsplit(urlsplit(mongodb_url)._replace(path="/isthmus-plans-names"))
    error = refused(tmp_path, target=target, transforms={"things": Transform(into="isthmus_things")})
    assert "isthmus_things" in str(error)


def test_what_a_table_needs_and_a_database_lacks_is_named() -> None:
    """One sentence for each capability."""
    with isthmus.connect("memory://") as database:
        lacking: dict[Capability, Support] = {
            name: Unsupported("not here") for name in Capability if name is not Capability.BATCH_WRITE
        }
        capabilities = database.capabilities.replace(lacking)
    table = Table("things", ("id", bytes), indexes=[Index("by_n", ("n", int))], ttl="gone")
    found = unmet_needs(capabilities, table, created=True)
    assert [name for name in ("table_management", "ttl", "secondary_index", "binary_key", "number_key")
            if sum(f"no {name}:" in reason for reason in found) != 1] == []  # fmt: skip
    assert unmet_needs(capabilities, Table("things", "id"), created=False) == []


def test_no_export_is_written_into(tmp_path: Path) -> None:
    """A finished one is what its manifest says; another folder is the way."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    target = str(tmp_path / "export")
    assert planned(tmp_path, target=target).run(engine="inline").finished
    with pytest.raises(PlanRefused, match="another folder"):
        Migration.plan(sqlite(tmp_path, "source"), target, workdir=tmp_path / "work2", into_existing="upsert")
    assert not (tmp_path / "work2").exists()


def test_what_a_format_would_lose_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    """As far as a sample shows it; otherwise it would be refused when the copy is done."""
    filled(sqlite(tmp_path, "source"), [{"id": "a", "tags": {"x"}}])
    error = refused(tmp_path, target=str(tmp_path / "export"), format="parquet")
    assert "'tags': sets become lists" in error.problems[0]
    assert (
        planned(tmp_path, target=str(tmp_path / "export"), format="parquet", lossy=True).run(engine="inline").finished
    )


def test_a_table_that_a_format_can_not_hold_is_refused(tmp_path: Path) -> None:
    """While it is planned."""
    filled(sqlite(tmp_path, "source"), numbered(3), Table("isthmus_things", "id"))
    (problem,) = refused(tmp_path, target=str(tmp_path / "dump"), format="mongodump").problems
    assert "can't be in a mongodump" in problem
