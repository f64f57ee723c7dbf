"""The level ``count``: places count by themselves, and what expires is not counted at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.schema import Table
from isthmus_migration.migration import Migration
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite
from plugins.migration.tests.rollback.test_hindered import damage
from plugins.migration.tests.verification.helpers import change, compared, copied, named, verified
from plugins.migration.tests.verification.test_excuses import HOUR, an_hour_later

__all__ = ["an_hour_later"]


def test_no_item_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store counts; items that can't be read count as well."""
    migration = copied(tmp_path, numbered(0, 60))
    damage(sqlite(tmp_path, "b"), "k0")
    monkeypatch.delattr(DatabasePlace, "read")
    result = verified(migration, "count")
    assert (result.tables[0].target_items, result.equal) == (60, True)


def test_what_a_transform_leaves_out_does_not_count(tmp_path: Path) -> None:
    """There the source has to be read."""
    for name in ("a", "b"):
        fill(sqlite(tmp_path, name), numbered(0, 60))
    change(tmp_path, delete=["k00059"])
    result = compared(tmp_path, level="count", transforms={"things": Transform(filter="n < 59")})
    assert (result.tables[0].source_items, result.tables[0].target_items, result.equal) == (59, 59, True)


@pytest.mark.parametrize("lost", [[], ["k00003"]])
def test_what_has_expired_since_is_no_difference(
    tmp_path: Path, an_hour_later: Callable[[], None], lost: list[str]
) -> None:
    """Only the target lacks it still in number; what is lost indeed is found beside, and named."""
    table, until = Table("things", "id", ttl="until"), int(time.time()) + HOUR
    fill(sqlite(tmp_path, "a"), [*numbered(0, 20), *numbered(20, 25, until=until)], table)
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    change(tmp_path, delete=lost)
    an_hour_later()
    result = verified(migration, "count")
    assert (result.tables[0].source_items, result.tables[0].target_items) == (25, 20 - len(lost))
    assert (result.tables[0].same_items, named(result)) == (not lost, [(key, "missing") for key in lost])
