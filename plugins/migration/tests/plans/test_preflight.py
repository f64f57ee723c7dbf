"""The preflight: a sample put through decoding, the transform and the target's limits, with every violation named."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

import isthmus
from isthmus import Index, Table, Unique
from isthmus_migration.errors import PlanRefused
from isthmus_migration.migration import Migration
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.transforms import Transform
from plugins.migration.tests.plans.helpers import THINGS, filled, found, numbered, planned, points, sqlite


def _moved(folder: Path, items: Sequence[Mapping[str, Any]], **transform: Any) -> Migration:
    filled(sqlite(folder, "source"), items)
    return planned(folder, transforms={"things": Transform(**transform)} if transform else None)


def test_items_that_can_be_moved_leave_nothing_to_say(tmp_path: Path) -> None:
    """And nothing is raised."""
    migration = _moved(tmp_path, numbered(100))
    assert migration.preflight is not None
    assert (found(migration), migration.preflight.tables[0].sampled) == ([], 100)
    migration.preflight.raise_for_errors()


def test_the_sample_is_as_large_as_was_asked_for_and_spread_over_the_units(tmp_path: Path) -> None:
    """The first items of one unit say little of a table."""
    filled(sqlite(tmp_path, "source"), numbered(400))
    migration = planned(tmp_path, sample=40, units=10)
    assert migration.preflight is not None
    (table,) = migration.preflight.tables
    assert (table.sampled, table.whole, table.units) == (40, False, 10)
    tens = {int(str(sample.before["n"])) // 40 for sample in migration.samples["things"]}
    assert len(tens) == 10


def test_a_seed_decides_which_items_are_sampled(tmp_path: Path) -> None:
    """So that a preflight can be repeated."""
    filled(sqlite(tmp_path, "source"), numbered(400))
    samples = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        migration = planned(folder, sqlite(tmp_path, "source"), sample=3, units=100, seed=seed)
        samples.append([sample.before["id"] for sample in migration.samples["things"]])
    assert samples[0] == samples[1] != samples[2]


def test_numbers_that_the_target_has_no_room_for_are_found_each(tmp_path: Path, mongodb_url: str) -> None:
    """Every one of them, with the item's key and the path, before anything is written."""
    wide = Decimal("1." + "2" * 37)
    filled(
        sqlite(tmp_path, "source"), [*numbered(5), {"id": "wide", "n": 1, "a": {"b": [wide]}, "c": wide.copy_negate()}]
    )
    target = urlunsplit(urlsplit(mongodb_url)._replace(path="/isthmus-plans-wide"))
    migration = planned(tmp_path, target=target)
    assert points(migration) == [
        ("error", "invalid_value", "wide", "a"), ("error", "invalid_value", "wide", "c"),
        ("warning", "fewer_digits", None, None),
    ]  # fmt: skip
    assert "a.b[0]" in found(migration)[0].reason
    with isthmus.connect(target) as database:
        assert database.tables.list() == []


def test_errors_can_be_raised_and_say_all_without_values(tmp_path: Path) -> None:
    """The message is cut, the problems are not, and no key is in either."""
    items: list[Mapping[str, Any]] = [
        {"id": f"secret{number}", "n": "text" if number < 15 else 1} for number in range(20)
    ]
    migration = _moved(tmp_path, items, schema=Table("things", "id", indexes=[Index("by_n", ("n", int))]))
    assert migration.preflight is not None
    with pytest.raises(PlanRefused, match="and 5 more") as caught:
        migration.preflight.raise_for_errors()
    assert len(caught.value.problems) == 15
    assert "secret" not in repr((caught.value.problems, migration.preflight))


def test_an_index_key_of_another_type_is_found(tmp_path: Path) -> None:
    """An item without it is in no index, which is no violation."""
    items: list[Mapping[str, Any]] = [{"id": "a", "n": 1}, {"id": "b", "n": "one"}, {"id": "c"}]
    migration = _moved(tmp_path, items, schema=Table("things", "id", indexes=[Index("by_n", ("n", int))]))
    assert points(migration) == [("error", "invalid_key", "b", "n")]


def test_an_item_that_grows_beyond_the_limit_is_found(tmp_path: Path) -> None:
    """401 KB are too much for every target."""
    items = [{"id": "large", "text": "x" * 409_000}, {"id": "small", "text": "x"}]
    migration = _moved(tmp_path, items, compute={"more": {"value": "y" * 1_700}})
    assert points(migration) == [("error", "item_too_large", "large", None)]


def test_keys_that_are_too_long_or_empty_are_found(tmp_path: Path) -> None:
    """Once a transform has made them keys."""
    items = [{"id": "long", "k": "x" * 2_049}, {"id": "empty", "k": ""}, {"id": "fits", "k": "x" * 2_048}]
    migration = _moved(tmp_path, items, keys=["k"])
    assert sorted(points(migration)) == [
        ("error", "invalid_key", "empty", "k"), ("error", "invalid_key", "long", "k"),
    ]  # fmt: skip


def test_what_a_transform_refuses_is_found_with_its_code_and_path(tmp_path: Path) -> None:
    """As it will be in the dead letter."""
    items = [{"id": "a", "n": "7"}, {"id": "b", "n": "seven"}]
    migration = _moved(tmp_path, items, types={"n": "number"})
    ((level, code, key, path),) = points(migration)
    assert (level, key, path) == ("error", "b", "n")
    outcomes = {sample.before["id"]: sample.error and sample.error.code for sample in migration.samples["things"]}
    assert outcomes == {"a": None, "b": code}


def test_keys_that_collide_are_found(tmp_path: Path) -> None:
    """The first item of each key goes on, the others would become dead letters."""
    items = [{"id": f"k{number}", "group": f"g{number % 3}"} for number in range(10)]
    codes = [code for _level, code, _key, _path in points(_moved(tmp_path, items, keys=["group"]))]
    assert codes == ["key_collision"] * 7


def test_values_that_are_to_be_unique_and_are_not_are_found(tmp_path: Path, mongodb_url: str) -> None:
    """Where an index of the target keeps them; null and missing values are not concerned."""
    emails = ["a@x", "b@x", "a@x", None, None]
    items = [{"id": f"k{number}", "email": email} for number, email in enumerate(emails)] + [{"id": "k9"}]
    filled(sqlite(tmp_path, "source"), items)
    target = urlunsplit(urlsplit(mongodb_url)._replace(path="/isthmus-plans-unique"))
    schema = Table("things", "id", unique=[Unique(["email"])])
    migration = planned(tmp_path, target=target, transforms={"things": Transform(schema=schema)}, units=1)
    assert points(migration)[0] == ("error", "unique_violation", "k2", "email")
    assert [level for level, *_more in points(migration)].count("error") == 1


def test_a_unique_constraint_that_the_target_can_not_keep_is_told(tmp_path: Path) -> None:
    """It is left out of the definition, and only repositories can keep it then."""
    schema = Table("things", "id", unique=[Unique(["email"])])
    migration = _moved(tmp_path, numbered(2), schema=schema)
    assert points(migration) == [("warning", "unique_not_kept", None, None)]
    assert migration.the_plan.tables[0].target.unique == ()


def test_items_that_can_not_be_read_are_found(tmp_path: Path) -> None:
    """With their keys, where these can be read."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    with sqlite3.connect(tmp_path / "source.db") as raw:
        ((name,),) = raw.execute("SELECT name FROM sqlite_master WHERE name LIKE '%things%' AND type = 'table'")
        raw.execute(f'UPDATE "{name}" SET item = ? WHERE item LIKE ?', ("{damaged", "%k00001%"))
    raw.close()
    ((level, code, key, _path),) = points(planned(tmp_path))
    assert (level, code, key) == ("error", "invalid_stored_value", "k00001")


def test_expired_items_and_attributes_of_other_types_are_warnings(tmp_path: Path) -> None:
    """The ones are left out as planned, the others are copied as they are."""
    table = Table("things", "id", ttl="gone", version="v")
    filled(sqlite(tmp_path, "source"), [{"id": "a", "v": 1, "gone": "never"}, {"id": "b", "gone": 5, "n": 1}])
    migration = planned(tmp_path, transforms={"things": Transform(schema=table)})
    assert {(level, code, key) for level, code, key, _path in points(migration)} == {
        ("warning", "ttl", "a"), ("warning", "expired", None),
    }  # fmt: skip


def test_a_transform_that_leaves_parts_of_the_definition_out_is_told(tmp_path: Path) -> None:
    """In the preflight and in the plan."""
    filled(
        sqlite(tmp_path, "source"), [{"id": "a", "n": 1}], Table("things", "id", indexes=[Index("by_n", ("n", int))])
    )
    migration = planned(tmp_path, mapping={"things": {"drop": ["n"]}})
    assert points(migration) == [("warning", "definition", None, None)]
    assert "by_n" in migration.the_plan.notes[0]


def test_the_preflight_is_kept_beside_the_plan_and_the_plan_keeps_numbers_only(tmp_path: Path) -> None:
    """Keys are in the one, not in the other."""
    items = [{"id": "findme", "n": "seven"}, {"id": "b", "n": "8"}]
    migration = _moved(tmp_path, items, types={"n": "number"})
    again = Migration.open(tmp_path / "work")
    assert isinstance(again.preflight, Preflight)
    assert again.preflight == migration.preflight
    assert again.preflight.errors[0].key == {"id": "findme"}
    assert "findme" not in repr(again.the_plan.findings)
    (counts,) = again.the_plan.findings["tables"].values()
    assert (counts["sampled"], sum(counts["errors"].values()), counts["warnings"]) == (2, 1, {})


def test_a_dry_run_shows_what_becomes_of_items(tmp_path: Path) -> None:
    """Path by path, on the sample."""
    migration = _moved(tmp_path, [{"id": "a", "n": 1, "old": "x"}], rename={"old": "new"}, drop=["n"])
    (sample,) = migration.samples["things"]
    assert [(change.kind, change.path) for change in sample.changes] == [("removed", ("n",)), ("renamed", ("new",))]


def test_keys_that_the_target_has_already_are_counted(tmp_path: Path) -> None:
    """Where the target holds items, so that nobody is surprised by what upsert does."""
    filled(sqlite(tmp_path, "target"), numbered(4), THINGS)
    filled(sqlite(tmp_path, "source"), numbered(10))
    migration = planned(tmp_path, into_existing="upsert")
    assert migration.preflight is not None
    assert (migration.preflight.tables[0].present, points(migration)) == (4, [("warning", "present", None, None)])


def test_what_a_format_has_no_room_for_is_found(tmp_path: Path) -> None:
    """BSON's decimals have 34 digits; our own format has room for all, and is the one to take then."""
    filled(sqlite(tmp_path, "source"), [{"id": "fits", "n": 1}, {"id": "wide", "n": Decimal("1." + "2" * 37)}])
    migration = planned(tmp_path, target=str(tmp_path / "dump"), format="mongodump")
    assert points(migration)[0] == ("error", "invalid_value", "wide", "n")
    other = Migration.plan(sqlite(tmp_path, "source"), str(tmp_path / "lines"), workdir=tmp_path / "work2")
    assert found(other) == []


def test_large_items_make_a_small_sample(tmp_path: Path) -> None:
    """So that memory stays bounded whatever the items' size."""
    filled(sqlite(tmp_path, "source"), [{"id": f"k{number}", "text": "x" * 400_000} for number in range(120)])
    migration = planned(tmp_path, sample=1_000)
    assert migration.preflight is not None
    (table,) = migration.preflight.tables
    assert 80 <= table.sampled < 120
    assert not table.whole
