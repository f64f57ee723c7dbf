"""What happens to items that the target has already."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from plugins.migration.tests.plans.helpers import contents, filled, planned, sqlite

_MINE = [{"id": "both", "n": "mine"}, {"id": "mine", "n": "mine"}, {"id": "same", "n": "same"}]
_THEIRS = [{"id": "both", "n": "theirs"}, {"id": "same", "n": "same"}, {"id": "theirs", "n": "theirs"}]


@pytest.mark.parametrize(
    ("wish", "both", "dead", "skipped"), [("upsert", "mine", 0, 0), ("skip", "theirs", 0, 1), ("fail", "theirs", 1, 0)]
)
def test_items_with_the_same_key(
    tmp_path: Path, wish: Literal["upsert", "skip", "fail"], both: str, dead: int, skipped: int
) -> None:
    """They are replaced, kept, or dead letters; what only the target has stays, and equal items are left alone."""
    filled(sqlite(tmp_path, "source"), _MINE)
    filled(sqlite(tmp_path, "target"), _THEIRS)
    migration = planned(tmp_path, into_existing=wish)
    assert migration.run(engine="inline").finished
    assert {item["id"]: item["n"] for item in contents(sqlite(tmp_path, "target"))} == {
        "both": both, "mine": "mine", "same": "same", "theirs": "theirs",
    }  # fmt: skip
    with migration.work.journal(writable=False) as journal:
        counts = journal.counts("copy")
    assert (counts.dead, counts.skipped, counts.unchanged) == (dead, skipped, 1)


def test_an_empty_table_that_was_there_is_used_and_is_not_ours(tmp_path: Path) -> None:
    """So no rollback drops it."""
    filled(sqlite(tmp_path, "source"), _MINE)
    filled(sqlite(tmp_path, "target"), [])
    migration = planned(tmp_path)
    table = migration.the_plan.tables[0]
    assert (table.created, table.occupied) == (False, False)
    assert migration.run(engine="inline").finished
    assert contents(sqlite(tmp_path, "target")) == _MINE
