"""Eleven ways in which tools lose data without a word, each tried on this one.

They were found by reading other migration tools (design/migration.md, 1.2). Those that belong to live changes are tried
here on the guard that a copy has: S2 and S4 on writes, S5 on the place where a run goes on.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard
from bson import Decimal128, Int64, ObjectId
from pymongo import MongoClient

import isthmus
from isthmus.copying import pages
from isthmus.schema import Key, Table
from isthmus.values import Item
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.digests import BucketDigest
from isthmus_migration.migration import Migration
from isthmus_migration.tasks import Counts
from isthmus_migration.transforms import Transform
from tests.faults.front import front, refusal, some_items
from tests.faults.places import server_of, through

TEXTS = Table("texts", Key("id"))
NUMBERS = Table("numbers", Key("id", "number"))
DIGITS_38 = Decimal("1.2345678901234567890123456789012345678")


def put(url: str, items: Iterable[Mapping[str, Any]], table: Table) -> None:
    """Create a table with these items."""
    with isthmus.connect(url) as database:
        database.table(table).ensure().put_many([dict(item) for item in items]).raise_for_failures()


def held(url: str, table: Table) -> dict[Any, Item]:
    """What a table holds, by key."""
    with isthmus.connect(url) as database:
        return {item["id"]: item for page in pages(database.table(table)) for item in page.items}


def copied(source: Any, target: Any, folder: Path, **options: Any) -> Migration:
    """A migration that has copied everything, in slices of 20."""
    run = {name: options.pop(name) for name in ("listener",) if name in options}
    migration = Migration.plan(source, target, workdir=folder / "work", **options)
    outcome = migration.run(engine="inline", options=RunOptions(slice_items=20, **run))
    assert outcome.finished, outcome
    return migration


def counts(migration: Migration) -> Counts:
    """What the copy did, all items accounted for."""
    with migration.work.journal(writable=False) as journal:
        total = journal.counts("copy")
    assert total.read == total.written + total.unchanged + total.skipped + total.dead
    return total


def dead(migration: Migration) -> list[tuple[str, str]]:
    """Phase and code of each dead letter."""
    with migration.work.journal(writable=False) as journal:
        return [(str(phase), str(code)) for phase, code in journal.rows("SELECT phase, code FROM dead")]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{tmp_path / 'source.db'}"


@pytest.fixture
def dynamodb(dynamodb_url: str) -> str:
    """The URL of a DynamoDB account of this test's own."""
    return dynamodb_url.replace("access_key_id=local", f"access_key_id=loss{secrets.token_hex(4)}")


def test_s1_members_of_a_batch_that_were_not_processed_are_sent_again(
    sqlite: str, dynamodb: str, tmp_path: Path
) -> None:
    """DynamoDB leaves parts of batches undone, and refuses whole ones; every item arrives, and it is counted."""
    items = [{"id": f"k{number:03}"} for number in range(100)]
    put(sqlite, items, TEXTS)
    with front(server_of(dynamodb)) as before:
        throttled = refusal("ProvisionedThroughputExceededException")
        before.plan("BatchWriteItem", some_items(0), some_items(5), throttled, some_items(24), some_items(1))
        migration = copied(sqlite, through(dynamodb, before.address), tmp_path)
    assert held(dynamodb, TEXTS) == {item["id"]: item for item in items}
    assert counts(migration).written == 100
    assert counts(migration).throttled


def test_s2_only_what_the_target_acknowledged_counts_as_written(
    mongodb_target: str, dynamodb: str, tmp_path: Path
) -> None:
    """From MongoDB to DynamoDB, where a write fails: nothing is journaled of its slice before it was repeated."""
    items = [{"id": f"k{number:03}"} for number in range(100)]
    put(mongodb_target, items, TEXTS)
    seen: list[tuple[int, int]] = []

    def compare(code: str, data: dict[str, Any]) -> None:
        if code == "slice":
            written = sum(one[0] for one in seen) + data["written"]
            seen.append((data["written"], len(held(dynamodb, TEXTS)) - written))

    with front(server_of(dynamodb)) as before:
        before.plan("BatchWriteItem", *[refusal("InternalServerError", 500)] * 8)
        migration = copied(mongodb_target, through(dynamodb, before.address), tmp_path, listener=compare)
    assert counts(migration).written == 100
    assert seen
    assert {surplus for _written, surplus in seen} == {0}


def test_s3_values_arrive_as_they_were_or_as_dead_letters(sqlite: str, mongodb_target: str, tmp_path: Path) -> None:
    """Small and large numbers, sets and bytes are equal on the other side; what does not fit is never rounded."""
    fitting: list[Item] = [
        {"id": "small", "n": Decimal("1E-130")}, {"id": "tiny", "n": Decimal("0.0000001")},
        {"id": "exact", "n": Decimal("0.1234567890123456789012345678901234")}, {"id": "large", "n": 2**100},
        {"id": "sets", "n": frozenset({1, Decimal("1.5")}), "b": frozenset({b"\0"}), "s": frozenset({""})},
        {"id": "bytes", "b": b"\xff\0"}, {"id": "date", "t": "2020-01-01T00:00:00.123456Z"},
    ]  # fmt: skip
    put(sqlite, [*fitting, {"id": "wide", "n": DIGITS_38}], TEXTS)
    migration = copied(sqlite, mongodb_target, tmp_path)
    assert held(mongodb_target, TEXTS) == {item["id"]: item for item in fitting}
    assert [phase for phase, _code in dead(migration)] == ["encode"]
    assert counts(migration).dead == 1


def test_s4_one_bad_item_never_takes_its_batch_with_it(sqlite: str, mongodb_target: str, tmp_path: Path) -> None:
    """Of a slice with two items that the target refuses, all the others arrive."""
    good = {f"k{number:03}": {"id": f"k{number:03}", "n": number} for number in range(60)}
    bad = [{"id": "k005x", "n": DIGITS_38}, {"id": "k033x", "n": DIGITS_38}]
    put(sqlite, [*good.values(), *bad], TEXTS)
    migration = copied(sqlite, mongodb_target, tmp_path)
    assert held(mongodb_target, TEXTS) == good
    assert len(dead(migration)) == 2


def test_s5_a_run_goes_on_where_it_was_and_not_at_the_start(sqlite: str, mongodb_target: str, tmp_path: Path) -> None:
    """The second run reads what the first had not journaled, and nothing else."""
    put(sqlite, [{"id": number} for number in range(200)], NUMBERS)
    migration = Migration.plan(sqlite, mongodb_target, workdir=tmp_path / "work", units=2)
    told: list[int] = []

    def stop_after_five(code: str, data: dict[str, Any]) -> None:
        if code == "slice":
            told.append(data["read"])
            if len(told) == 5:
                ControlFile(tmp_path / "work").say("stop")

    options = RunOptions(slice_items=20, listener=stop_after_five)
    assert migration.run(engine="inline", options=options).ending == "stopped"
    assert Migration.open(tmp_path / "work").run(engine="inline", options=options).finished
    assert sum(told[:5]) == 100
    assert sum(told[5:]) == 100
    assert held(mongodb_target, NUMBERS).keys() == set(range(200))


def test_s6_items_that_only_the_target_has_are_reported(sqlite: str, mongodb_target: str, tmp_path: Path) -> None:
    """A verification names what is missing, what differs, and what there is too much of."""
    put(sqlite, [{"id": number} for number in range(50)], NUMBERS)
    migration = copied(sqlite, mongodb_target, tmp_path)
    put(mongodb_target, [{"id": 1_000}, {"id": 7, "n": 1}], NUMBERS)
    with isthmus.connect(mongodb_target) as database:
        database.table(NUMBERS).delete({"id": 9})
    assert not migration.verify(engine="inline").equal
    found = {(mismatch.kind, mismatch.key["id"]) for mismatch in migration.mismatches()}
    assert found == {("extra", 1_000), ("changed", 7), ("missing", 9)}


def test_s7_empty_values_nulls_and_mixed_sets_survive_the_whole_way(
    dynamodb: str, mongodb_target: str, tmp_path: Path
) -> None:
    """DynamoDB to MongoDB to SQLite: nothing empty is left out, no null becomes true, no number a float."""
    items: list[Item] = [
        {"id": "empty", "list": [], "map": {}, "text": "", "bytes": b"",
         "deep": {"list": [[], {}, ""], "map": {}, "none": None}},
        {"id": "null", "nothing": None, "list": [None, True, False]}, {"id": "alone"},
        {"id": "numbers", "set": frozenset({1, Decimal("1.5"), -3}), "n": Decimal("12345678901234567890.123")},
    ]  # fmt: skip
    put(dynamodb, items, TEXTS)
    third = f"sqlite:///{tmp_path / 'third.db'}"
    for number, (source, target) in enumerate(((dynamodb, mongodb_target), (mongodb_target, third))):
        (tmp_path / str(number)).mkdir()
        assert counts(copied(source, target, tmp_path / str(number))).written == len(items)
    assert held(third, TEXTS) == {item["id"]: item for item in items}


def test_s8_a_malformed_line_is_a_dead_letter(sqlite: str, tmp_path: Path) -> None:
    """A line of an export that is no item is kept with its bytes, and the lines after it are read."""
    put(sqlite, [{"id": f"k{number:03}"} for number in range(50)], TEXTS)
    export = tmp_path / "export"
    (tmp_path / "out").mkdir()
    copied(sqlite, str(export), tmp_path / "out", format="jsonl")
    cut_a_line(export, 2)
    migration = copied(str(export), f"sqlite:///{tmp_path / 'target.db'}", tmp_path)
    assert counts(migration).read == 50
    assert len(dead(migration)) == 1
    assert len(held(f"sqlite:///{tmp_path / 'target.db'}", TEXTS)) == 49


def test_s9_documents_with_keys_of_any_type_are_read_once(mongodb_url: str, tmp_path: Path) -> None:
    """A collection with keys of mixed types, divided into ranges: each document is copied or is a dead letter."""
    texts = [f"s{number:04}" for number in range(400)]
    others: list[Any] = [
        *range(300), *(ObjectId() for _ in range(200)), *({"a": number} for number in range(100)),
        *(number + 0.5 for number in range(100)), *(Decimal128(f"{number}.25") for number in range(50)),
        *(bytes([number]) for number in range(50)), True, False, Int64(2**60),
    ]  # fmt: skip
    with foreign(mongodb_url, [{"_id": one, "n": 1} for one in [*texts, *others]]) as (database, name):
        migration = copied(database, f"sqlite:///{tmp_path / 'target.db'}", tmp_path, tables=(name,), units=6)
        assert len(migration.the_plan.tables[0].units) > 1
    assert counts(migration).read == len(texts) + len(others)
    assert counts(migration).written == len(texts)
    assert len(dead(migration)) == len(others)


def test_s10_items_that_come_to_have_one_key_are_not_overwritten(
    sqlite: str, mongodb_target: str, tmp_path: Path
) -> None:
    """One of them stays, the others are dead letters; which one stays is what the journal expects."""
    put(sqlite, [{"id": number, "group": f"g{number % 20}"} for number in range(100)], NUMBERS)
    transform = Transform(keys=(Key("group"),))
    migration = copied(sqlite, mongodb_target, tmp_path, transforms={"numbers": transform}, units=4)
    table = migration.the_plan.tables[0].target
    with isthmus.connect(mongodb_target) as database:
        stored = [item for page in pages(database.table(table)) for item in page.items]
    assert {item["group"] for item in stored} == {f"g{number}" for number in range(20)}
    assert dead(migration) == [("transform", "key_collision")] * 80
    with migration.work.journal(writable=False) as journal:
        assert journal.digest("copy", "numbers", "expected") == BucketDigest.of(stored, ("group",))


def test_s11_keys_between_whole_numbers_are_in_some_range(mongodb_target: str, tmp_path: Path) -> None:
    """Fractions, negative and very large keys: every item of a divided table is read once."""
    whole = list(range(-300, 300))
    keys = [*whole, *(Decimal(number) + Decimal("0.5") for number in whole), 2**70, -(2**70), Decimal("1E-100")]
    put(mongodb_target, [{"id": key} for key in keys], NUMBERS)
    migration = copied(mongodb_target, f"sqlite:///{tmp_path / 'target.db'}", tmp_path, units=6)
    assert len(migration.the_plan.tables[0].units) > 1
    assert counts(migration).read == len(keys)
    assert held(f"sqlite:///{tmp_path / 'target.db'}", NUMBERS).keys() == set(keys)


@contextmanager
def foreign(url: str, documents: list[dict[str, Any]]) -> Iterator[tuple[isthmus.Database, str]]:
    """A collection that is somebody else's, as a table whose key is text."""
    name = f"foreign_{secrets.token_hex(4)}"
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client, isthmus.connect(url, mongodb={"mappings": {name: {"partition_key": "_id"}}}) as database:
        collection = client.get_default_database()[name]
        collection.insert_many(documents)
        try:
            yield database, name
        finally:
            collection.drop()


def cut_a_line(export: Path, number: int) -> None:
    """Leave only the beginning of a line of an export's first file, and make its checksums right."""
    (path, *_others) = sorted((export / TEXTS.name).iterdir())
    lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read().split(b"\n")
    data = zstandard.ZstdCompressor().compress(b"\n".join([*lines[:number], lines[number][:7], *lines[number + 1 :]]))
    path.write_bytes(data)
    manifest = export / "manifest.json"
    content = json.loads(manifest.read_bytes())
    content.pop("checksum")
    (file,) = (file for file in content["tables"][0]["files"] if file["path"].endswith(path.name))
    file.update(size=len(data), sha256=sha256(data).hexdigest())
    digest = sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    manifest.write_text(json.dumps({**content, "checksum": digest}))
