"""Small databases and migrations between them, for the tests of dead letters and of rollbacks."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import isthmus
from isthmus.copying import pages
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.digests import BucketDigest
from isthmus_migration.migration import Migration

THINGS = Table("things", "id")


def sqlite(folder: Path, name: str) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{folder / name}.db"


def own_tables(url: str) -> str:
    """The URL of DynamoDB Local with credentials that nobody else has: it keeps tables apart by them."""
    return re.sub(r"access_key_id=[^&]*", f"access_key_id=dead{secrets.token_hex(6)}", url)


def fill(url: str, items: Iterable[Item], table: Table = THINGS, **options: Any) -> None:
    """Create a table, and put items into it."""
    with isthmus.connect(url, **options) as database:
        database.table(table).ensure().put_many(list(items)).raise_for_failures()


def numbered(first: int, last: int, **attributes: Any) -> list[Item]:
    """Items with the keys from the first number to the one before the last."""
    return [{"id": f"k{number:05d}", "n": number, **attributes} for number in range(first, last)]


def held(url: str, table: Table = THINGS) -> dict[str, Item]:
    """All items of a table, by key."""
    with isthmus.connect(url) as database:
        return {str(item["id"]): item for page in pages(database.table(table)) for item in page.items}


def digest(url: str, table: Table = THINGS) -> str:
    """The digest of a table, with its number of items."""
    total = BucketDigest.of(held(url, table).values(), table.key_names)
    return f"{total.items} {total.text}"


def run(migration: Migration, **options: Any) -> PhaseOutcome:
    """Run in this thread, in small slices."""
    return migration.run(engine=options.pop("engine", "inline"), options=RunOptions(slice_items=50, **options))


def expected(migration: Migration, table: str = "things") -> str:
    """What the journal expects of the target's table: before - replaced + expected."""
    with migration.work.journal(writable=False) as journal:
        total = journal.digest("copy", table, "expected")
        total.merge(journal.digest("before", table, "target"))
        gone = journal.digest("copy", table, "replaced")
    here = sum(value for _count, value in total.buckets.values()) - sum(
        value for _count, value in gone.buckets.values()
    )
    return f"{total.items - gone.items} {here % (1 << 128):032x}"


def letters(migration: Migration) -> list[tuple[str, str, str]]:
    """Key, phase and code of all dead letters."""
    with migration.work.journal(writable=False) as journal:
        return [tuple(row) for row in journal.rows("SELECT item_key, phase, code FROM dead ORDER BY id")]
