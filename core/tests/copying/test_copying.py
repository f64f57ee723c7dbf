from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import isthmus
from isthmus import copying
from isthmus import operations as op
from isthmus.copying import Differences, Progress, TableDigest, Written
from isthmus.errors import AlreadyExists, BackendError, InvalidArgument, ItemTooLarge, SchemaMismatch, TableNotFound
from isthmus.memory import MemoryBackend
from isthmus.results import Failure, Result, WriteManyResult

NOW = 1_000_000.0
ITEMS: list[Mapping[str, Any]] = [
    {"id": "a", "n": 1, "tags": {"x", "y"}, "raw": b"\x00\xff", "sizes": {1, Decimal("2.5")}, "blobs": {b"a"}},
    {"id": "b", "price": Decimal("0.1234567890123456789"), "nested": {"list": [1, None, True, {"deep": ["x"]}]}},
    {"id": "c", "text": "日本\U0001f600", "empty": "", "none": None},
]


class FailingBackend(MemoryBackend):
    """Reports the second member of each batch as failed, and does not write it."""

    def execute(self, operation: op.Operation) -> Result:
        if not isinstance(operation, op.PutMany):
            return super().execute(operation)
        kept = tuple(item for place, item in enumerate(operation.items) if place != 1)
        super().execute(op.PutMany(operation.context, operation.table, kept))
        return WriteManyResult(len(kept), failures=[Failure(1, BackendError("the disk is full"))])


def _database(backend: isthmus.Backend | None = None) -> isthmus.Database:
    return isthmus.connect(backend or MemoryBackend(lambda: NOW), clock=lambda: NOW)


def _filled(**declared: Any) -> isthmus.BoundTable:
    table = _database().table("things", partition_key="id", **declared).ensure()
    table.put_many(ITEMS).raise_for_failures()
    return table


def _stored(database: isthmus.Database) -> dict[str, Any]:
    return {str(item["id"]): item for item in database.tables.open("things").scan()}


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_a_copy_holds_the_same_items(chunk: int) -> None:
    """Sets, binary values, decimals and nested values arrive as they are, whatever the size of pages."""
    source, target = _filled().database, _database()
    (result,) = copying.copy(source, target, chunk=chunk)
    assert (result.written, result.expired, result.verification and result.verification.equal) == (3, 0, True)
    assert _stored(source) == _stored(target)


def test_the_target_is_created_as_declared() -> None:
    """Keys, indexes, expiry, version and timestamps are part of the copy."""
    index = isthmus.Index("by_n", "n_text", ("n", int))
    table = _filled(indexes=[index], ttl="until", versioned=True, timestamps=True)
    target = _database()
    copying.copy(table.database, target)
    assert table.schema == target.tables.describe("things")


def test_versions_and_timestamps_are_copied_verbatim() -> None:
    """An item at version 3 arrives at version 3, with its times."""
    table = _filled(versioned=True, timestamps=True)
    table.update(id="a", add={"n": 1})
    table.update(id="a", add={"n": 1})
    target = isthmus.connect(MemoryBackend(), clock=lambda: NOW + 50_000)
    copying.copy(table.database, target)
    assert _stored(target)["a"]["version"] == 3
    assert _stored(table.database) == _stored(target)


def test_tables_without_items_are_copied() -> None:
    """Nothing to write is no mistake, and equal."""
    source, target = _database(), _database()
    source.table("empty", partition_key="id").ensure()
    (result,) = copying.copy(source, target)
    assert (result.written, result.verification and result.verification.equal) == (0, True)
    assert target.tables.list() == ["empty"]


def test_only_named_tables_are_copied() -> None:
    """The others are not even created."""
    source, target = _filled().database, _database()
    source.table("more", partition_key="id").ensure()
    assert [result.table for result in copying.copy(source, target, ["more"], verify=False)] == ["more"]
    assert target.tables.list() == ["more"]


def test_a_missing_source_table_is_refused_before_anything_is_written() -> None:
    """The tables that exist are not copied either."""
    target = _database()
    with pytest.raises(TableNotFound):
        copying.copy(_filled().database, target, ["things", "nothing"])
    assert target.tables.list() == []


def test_a_target_with_items_is_refused_before_anything_is_written() -> None:
    """Also when it is the last of several tables."""
    source, target = _filled().database, _database()
    source.table("zoo", partition_key="id").ensure().put({"id": "x"})
    target.table("zoo", partition_key="id").ensure().put({"id": "mine"})
    with pytest.raises(AlreadyExists, match="'zoo' of the target holds items"):
        copying.copy(source, target)
    assert target.tables.list() == ["zoo"]


def test_overwriting_replaces_the_same_keys_and_keeps_others() -> None:
    """Other items stay, and the verification tells."""
    source, target = _filled().database, _database()
    target.table("things", partition_key="id").ensure().put_many([{"id": "a", "old": 1}, {"id": "z"}])
    (result,) = copying.copy(source, target, overwrite=True)
    assert (False, {**_stored(source), "z": {"id": "z"}}) == (
        result.verification and result.verification.equal,
        _stored(target),
    )


def test_another_definition_is_refused() -> None:
    """The error names each difference."""
    target = _database()
    target.table("things", partition_key="id", sort_key="n").ensure()
    with pytest.raises(SchemaMismatch) as caught:
        copying.copy(_filled().database, target)
    assert caught.value.differences == ("sort_key is declared as none, stored as n (string)",)


def test_failures_of_a_batch_are_raised() -> None:
    """A member that was not written stops the copy: the error counts, names the table and has the cause."""
    with pytest.raises(BackendError, match="1 of 3 items of a batch for table 'things'") as caught:
        copying.copy(_filled().database, _database(FailingBackend(lambda: NOW)))
    assert (
        caught.value.maybe_applied,
        caught.value.table,
        str(caught.value.__cause__),
    ) == (True, "things", "the disk is full")


def test_an_item_that_the_target_can_not_hold_stops_the_copy() -> None:
    """It is refused by the target's limits, not cut."""
    backend = MemoryBackend(lambda: NOW)
    backend.limits = isthmus.Limits(item_bytes=20)
    with pytest.raises(ItemTooLarge):
        copying.copy(_filled().database, _database(backend))


def test_items_that_expire_on_the_way_are_counted() -> None:
    """They are left out, as both sides would show them."""
    source = _database().table("things", partition_key="id", ttl="until").ensure()
    source.put_many([{"id": "a", "until": NOW + 10}, {"id": "b", "until": NOW + 1_000}, {"id": "c"}])
    target = isthmus.connect(MemoryBackend(lambda: NOW + 100), clock=lambda: NOW + 100)
    (result,) = copying.copy(source.database, target, verify=False, clock=lambda: NOW + 100)
    assert (2, 1, {"b", "c"}) == (result.written, result.expired, set(_stored(target)))


def test_an_item_that_expires_between_look_and_write_is_left_out() -> None:
    """The write is refused by the target's clock; the next look tells why."""
    table = isthmus.connect(MemoryBackend(lambda: NOW + 100), clock=lambda: NOW + 100)
    bound = table.table("things", partition_key="id", ttl="until").ensure()
    times = iter([NOW] * 2 + [NOW + 100] * 10)
    written = copying.put_verbatim(bound, [{"id": "a", "until": int(NOW) + 10}, {"id": "b"}], clock=lambda: next(times))
    assert Written(1, 1) == written


def test_progress_is_reported_in_each_phase() -> None:
    """Numbers rise to the number of items."""
    steps: list[Progress] = []
    copying.copy(_filled().database, _database(), chunk=2, progress=steps.append)
    phases = ("copy", "digest source", "digest target")
    expected = [(phase, items) for phase in phases for items in (2, 3)]
    assert [(step.phase, step.items) for step in steps] == expected


@pytest.mark.parametrize("chunk", [0, -1, True, 1.5])
def test_chunks_are_positive_numbers(chunk: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidArgument):
        copying.copy(_filled().database, _database(), chunk=chunk)


@given(st.permutations(range(12)))
def test_a_digest_does_not_depend_on_the_order_of_writes(order: list[int]) -> None:
    """The same items in any order of writing and reading have one digest."""
    digests = []
    for numbers in (range(12), order):
        # The keys hold the position, so that scans give the items in different orders.
        table = _database().table("things", partition_key="id").ensure()
        table.put_many([{"id": f"{number}", "n": number} for number in numbers])
        digests.append(copying.digest_table(table, chunk=5))
    assert digests[0] == digests[1]


def test_a_digest_tells_one_changed_value() -> None:
    """An equal number of items is not enough."""
    first, second = _filled(), _filled()
    second.update(id="a", set={"n": 2})
    one, two = copying.digest_table(first), copying.digest_table(second)
    assert (one.items, two.items, one.digest == two.digest) == (3, 3, False)


def test_the_digest_of_nothing_is_zero() -> None:
    """A sum without summands."""
    assert TableDigest(0, "0" * 64) == copying.digest_table(_database().table("things", partition_key="id").ensure())


def test_verify_compares_named_tables() -> None:
    """One verification for each table."""
    source, target = _filled().database, _filled().database
    target.tables.open("things").delete(id="c")
    (check,) = copying.verify(source, target, ["things"])
    assert (check.table, check.source.items, check.target.items, check.equal) == ("things", 3, 2, False)


def test_differences_are_counted_and_sampled() -> None:
    """Missing, changed and extra keys; the sample is bounded and its keys are not in the text."""
    source, target = _filled(), _filled()
    target.delete(id="a")
    target.update(id="b", set={"price": 1})
    target.put({"id": "secret"})
    found = copying.compare_tables(source, target, sample=2, chunk=2)
    assert (found.missing, found.changed, found.extra, found.total) == (1, 1, 1, 3)
    assert found.sample == (("missing", {"id": "a"}), ("changed", {"id": "b"}))
    assert repr(found) == "Differences(missing=1, changed=1, extra=1)"


def test_equal_tables_have_no_differences() -> None:
    """Nothing is sampled."""
    assert Differences(0, 0, 0) == copying.compare_tables(_filled(), _filled(), sample=5)
