"""Items that a target refuses: each becomes a dead letter of its own, and everything around it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson import Regex
from pymongo import MongoClient
from pymongo.collection import Collection

from isthmus.values import Item
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import (
    digest,
    expected,
    fill,
    held,
    numbered,
    own_tables,
    run,
    sqlite,
)
from plugins.mongodb.tests.servers import driver, fresh_name, in_database

LONG = Decimal("1.2345678901234567890123456789012345678")
WORDS = "words that nobody may see"


@pytest.fixture
def database(mongodb_url: str) -> Iterator[str]:
    """An empty database of MongoDB."""
    name = fresh_name()
    yield in_database(mongodb_url, database=name)
    with driver(mongodb_url) as client:
        client.drop_database(name)


def _native(client: MongoClient[dict[str, Any]], database: str) -> Collection[dict[str, Any]]:
    return client[database.rsplit("/", 1)[1].partition("?")[0]]["things"]


def _moved(source: str, target: str, folder: Path, **options: Any) -> Migration:
    migration = Migration.plan(source, target, workdir=folder / "work", units=2, sample=1, **options)
    assert run(migration).finished
    assert digest(target) == expected(migration)
    return migration


def _poisoned(items: list[Item], **poison: dict[str, Any]) -> list[Item]:
    return [{**item, **poison.get(str(item["id"]), {})} for item in items]


def test_what_mongodb_refuses(tmp_path: Path, database: str, mongodb_url: str) -> None:
    """A number of 38 digits, an item against a validator, two against a unique index; three between good ones."""
    fill(database, [])
    with driver(mongodb_url) as client:
        things = _native(client, database)
        things.create_index("mail", unique=True, partialFilterExpression={"mail": {"$exists": True}})
        things.database.command("collMod", "things", validator={"secret": {"$ne": WORDS}})
    fill(sqlite(tmp_path, "a"), _poisoned(
        numbered(0, 200), k00010={"n": LONG}, k00020={"secret": WORDS}, k00021={"mail": WORDS}, k00022={"mail": WORDS},
        k00150={"mail": WORDS},
    ))  # fmt: skip
    migration = _moved(sqlite(tmp_path, "a"), database, tmp_path)
    found = {letter.key[7:13]: letter for letter in migration.dead.list()}
    assert {key: letter.phase for key, letter in found.items()} == {
        "k00010": "encode", "k00020": "encode", "k00022": "write", "k00150": "write",
    }  # fmt: skip
    assert len(held(database)) == 196
    assert not [letter.reason for letter in found.values() if WORDS in letter.reason or str(LONG) in letter.reason]
    with driver(mongodb_url) as client:
        things = _native(client, database)
        things.database.command("collMod", "things", validator={}, validationLevel="off")
        things.drop_index("mail_1")
    assert migration.dead.replay().replayed == 3
    assert digest(database) == expected(migration)


@pytest.fixture
def strange(database: str, mongodb_url: str) -> str:
    """120 items, and six that others wrote: too large, a key too long, values that are not portable."""
    fill(database, numbered(0, 120))
    with driver(mongodb_url) as client:
        _native(client, database).insert_many([
            {"_id": {"id": "k00010a"}, "text": "x" * 401 * 1_024},
            {"_id": {"id": "k00020" + "a" * 2_100}, "n": 1},
            {"_id": {"id": "k00030a"}, "pattern": Regex(WORDS)},
            {"_id": {"id": "k00030b"}, "n": float("nan")},
            {"_id": 12, "n": 1},
            {"_id": 13, "n": 2},
        ])  # fmt: skip
    return database


def test_what_no_target_can_hold(tmp_path: Path, strange: str, dynamodb_url: str) -> None:
    """Each is a letter of its own, with its bytes where it could not be read; all others arrive."""
    target = own_tables(dynamodb_url)
    migration = _moved(strange, target, tmp_path)
    assert set(held(target)) == {item["id"] for item in numbered(0, 120)}
    found = Counter((letter.phase, letter.form, letter.code) for letter in migration.dead.list())
    assert found == {
        ("encode", "json", "item_too_large"): 1, ("encode", "json", "invalid_key"): 1,
        ("decode", "bson", "invalid_stored_value"): 4,
    }  # fmt: skip
    unread = list(migration.dead.list(phase="decode"))
    assert all(WORDS not in letter.reason for letter in unread)
    assert sum(WORDS.encode() in migration.dead.show(letter.id)[1].data for letter in unread) == 1


def test_what_was_mended_in_the_source_is_read_again(
    tmp_path: Path, strange: str, dynamodb_url: str, mongodb_url: str
) -> None:
    """By its key; what has none stays a dead letter."""
    target = own_tables(dynamodb_url)
    migration = _moved(strange, target, tmp_path)
    with driver(mongodb_url) as client:
        _native(client, strange).update_one({"_id": {"id": "k00030a"}}, {"$set": {"pattern": "text"}})
        _native(client, strange).update_one({"_id": {"id": "k00030b"}}, {"$set": {"n": 1}})
    done = migration.dead.replay(letter.id for letter in migration.dead.list(phase="decode"))
    assert (done.tried, done.replayed, done.failed) == (4, 2, 2)
    assert held(target)["k00030a"] == {"id": "k00030a", "pattern": "text"}
    assert digest(target) == expected(migration)
    assert migration.rollback(engine="inline").clean
