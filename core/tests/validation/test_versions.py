"""Versions with optimistic locking, and timestamps, as the VALIDATE layer maintains them."""

from collections.abc import Iterator

import pytest

import isthmus
from isthmus import BoundTable, Database, F
from isthmus.capabilities import Limits
from isthmus.errors import (
    ConditionFailed,
    InvalidArgument,
    InvalidValue,
    ItemNotFound,
    ItemTooLarge,
    TransactionFailed,
    VersionConflict,
)
from isthmus.memory import MemoryBackend
from isthmus.operations import Action
from isthmus.types import timestamp


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The database's clock."""
    return Clock()


@pytest.fixture
def database(clock: Clock) -> Iterator[Database]:
    """A memory database."""
    with isthmus.connect("memory://", clock=clock) as opened:
        yield opened


@pytest.fixture
def table(database: Database) -> BoundTable:
    """A table with a version and timestamps."""
    return database.table("documents", partition_key="id", versioned=True, timestamps=True).ensure()


def test_create_stamps(table: BoundTable, clock: Clock) -> None:
    """A new item is at version 1, with both times."""
    table.create({"id": "a"})
    now = timestamp(clock.now)
    assert table.get(id="a") == {"id": "a", "version": 1, "created_at": now, "updated_at": now}


def test_put_of_what_was_read_counts_on(table: BoundTable, clock: Clock) -> None:
    """Writing an item back keeps its creation time and raises its version."""
    table.create({"id": "a"})
    item, created = table.get(id="a"), timestamp(clock.now)
    clock.now += 60
    table.put({**item, "n": 1})
    expected = {"id": "a", "n": 1, "version": 2, "created_at": created, "updated_at": timestamp(clock.now)}
    assert table.get(id="a") == expected


def test_put_of_a_stale_item_conflicts(table: BoundTable) -> None:
    """The second of two writers that read the same version loses, and learns the current item."""
    table.create({"id": "a"})
    item = table.get(id="a")
    table.put({**item, "writer": "first"})
    with pytest.raises(VersionConflict, match="at version 2") as caught:
        table.put({**item, "writer": "second"})
    assert caught.value.current == table.get(id="a")
    assert (caught.value.table, caught.value.operation) == ("documents", "put")


def test_put_without_a_version_is_a_new_item(table: BoundTable) -> None:
    """An item that was never read must not replace another one."""
    table.put({"id": "a"})
    with pytest.raises(VersionConflict, match="no item was expected"):
        table.put({"id": "a"})


def test_put_of_an_item_that_is_gone_conflicts(table: BoundTable) -> None:
    """Rule CND-6: the version is checked against nothing."""
    table.create({"id": "a"})
    item = table.get(id="a")
    table.delete(id="a")
    with pytest.raises(VersionConflict, match="it is gone") as caught:
        table.put(item)
    assert caught.value.current is None


def test_update_counts(table: BoundTable, clock: Clock) -> None:
    """Each update raises the version and the time of the last change."""
    table.create({"id": "a"})
    clock.now += 60
    changed = table.update(id="a", set={"n": 1}, returning="new")
    assert changed is not None
    assert (changed["version"], changed["updated_at"]) == (2, timestamp(clock.now))


def test_update_expecting_a_version(table: BoundTable) -> None:
    """An expected version that is not there is a conflict, and nothing changes."""
    table.create({"id": "a"})
    table.update(id="a", set={"n": 1}, expected_version=1)
    with pytest.raises(VersionConflict, match="expected at version 1"):
        table.update(id="a", set={"n": 2}, expected_version=1)
    assert table.get(id="a")["n"] == 1


def test_a_false_condition_is_no_version_conflict(table: BoundTable) -> None:
    """Where the version is right, the caller's own condition is the reason."""
    table.create({"id": "a", "n": 1})
    with pytest.raises(ConditionFailed) as caught:
        table.update(id="a", set={"n": 2}, expected_version=1, when=F.n == 7)
    assert type(caught.value) is ConditionFailed


def test_update_of_a_missing_item(table: BoundTable) -> None:
    """Versions do not create items."""
    with pytest.raises(ItemNotFound):
        table.update(id="a", set={"n": 1})


def test_upsert_stamps_a_new_item(table: BoundTable, clock: Clock) -> None:
    """An upsert that creates starts at version 1, with both times."""
    table.update(id="a", set={"n": 1}, upsert=True)
    now = timestamp(clock.now)
    assert table.get(id="a") == {"id": "a", "n": 1, "version": 1, "created_at": now, "updated_at": now}


def test_delete_expecting_a_version(table: BoundTable) -> None:
    """A delete may insist on a version."""
    table.create({"id": "a"})
    with pytest.raises(VersionConflict):
        table.delete(id="a", expected_version=2)
    assert table.delete(id="a", expected_version=1) is True


def test_batches_check_each_member(table: BoundTable) -> None:
    """Rule BAT-6: a batch on a versioned table writes one by one and lists the members that conflict."""
    table.create({"id": "b"})
    result = table.put_many([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    assert (result.written, [failure.position for failure in result.failures]) == (2, [1])
    assert isinstance(result.failures[0].error, VersionConflict)
    assert table.get(id="c")["version"] == 1


def test_transactions_stamp_and_explain(database: Database, table: BoundTable) -> None:
    """Each action of a transaction is versioned; a conflict is a reason at its place."""
    table.create({"id": "a"})
    stale = table.get(id="a")
    database.transact_write([table.actions.put(stale), table.actions.create({"id": "b"})])
    assert (table.get(id="a")["version"], table.get(id="b")["version"]) == (2, 1)
    with pytest.raises(TransactionFailed) as caught:
        database.transact_write([table.actions.create({"id": "c"}), table.actions.put(stale)])
    assert [type(reason) for reason in caught.value.reasons] == [type(None), VersionConflict]
    assert table.find(id="c") is None


def test_a_repeated_transaction_is_recognised_whatever_the_time(
    database: Database, table: BoundTable, clock: Clock
) -> None:
    """Rule TXN-8: timestamps are not part of what the caller asked for."""
    first = database.transact_write([table.actions.create({"id": "a"})], token="once")
    clock.now += 60
    again = database.transact_write([table.actions.create({"id": "a"})], token="once")
    assert (first.replayed, again.replayed, table.get(id="a")["version"]) == (False, True, 1)


@pytest.mark.parametrize("name", ["version", "created_at", "updated_at"])
def test_managed_attributes_are_not_updated_by_hand(table: BoundTable, name: str) -> None:
    """Nobody else counts."""
    with pytest.raises(InvalidArgument, match="maintained by Isthmus"):
        table.update(id="a", set={name: 1})


@pytest.mark.parametrize("version", ["1", 0, -1, True])
def test_a_version_that_nobody_gave_out(table: BoundTable, version: object) -> None:
    """The attribute is left as it was read."""
    with pytest.raises(InvalidValue, match="counts versions"):
        table.put({"id": "a", "version": version})


def test_expected_version_needs_a_versioned_table(database: Database) -> None:
    """On any other table it is a mistake."""
    plain = database.table("plain", partition_key="id").ensure()
    with pytest.raises(InvalidArgument, match="no version attribute"):
        plain.delete(id="a", expected_version=1)


def test_timestamps_alone(database: Database, clock: Clock) -> None:
    """Timestamps work without versions; a put replaces without asking."""
    table = database.table("stamped", partition_key="id", timestamps=True).ensure()
    table.put({"id": "a"})
    clock.now += 60
    table.put({"id": "a"})
    now = timestamp(clock.now)
    assert table.get(id="a") == {"id": "a", "created_at": now, "updated_at": now}


def test_a_version_conflict_has_the_first_error_as_its_cause(table: BoundTable) -> None:
    """The failed condition that the core added is the cause of the conflict."""
    table.create({"id": "a"})
    with pytest.raises(VersionConflict) as caught:
        table.delete(id="a", expected_version=2)
    assert type(caught.value.__cause__) is ConditionFailed


def test_no_error_is_its_own_cause(database: Database, table: BoundTable) -> None:
    """An error that passes unchanged keeps its cause: none here."""
    table.create({"id": "a"})
    action = table.actions.update(id="a", set={"n": 2}, when=F.n == 7)
    with pytest.raises(ConditionFailed) as single:
        table.update(id="a", set={"n": 2}, when=F.n == 7)
    with pytest.raises(TransactionFailed) as whole:
        database.transact_write([action])
    assert (single.value.__cause__, whole.value.__cause__) == (None, None)


def test_failed_transactions_say_where(database: Database, table: BoundTable) -> None:
    """The transaction and each of its reasons keep their place, also where a reason becomes a conflict."""
    table.create({"id": "a"})
    update = table.actions.update(id="a", set={"n": 2}, expected_version=9)
    actions: list[Action] = [update, table.actions.create({"id": "a2"})]
    with pytest.raises(TransactionFailed) as caught:
        database.transact_write(actions)
    whole, reason = caught.value, caught.value.reasons[0]
    assert (whole.backend, whole.operation, whole.table) == ("memory", "transact_write", "documents")
    assert isinstance(reason, VersionConflict)
    assert (reason.backend, reason.operation, reason.table, reason.key) == (
        "memory",
        "update",
        "documents",
        {"id": "a"},
    )


def test_the_size_counts_what_is_added(database: Database, table: BoundTable) -> None:
    """An item that fits without its version and timestamps, but not with them, is refused and not stored."""
    item = {"id": "a", "text": "x" * (database.limits.item_bytes - 7)}
    actions = [table.actions.put(item)]
    for call in (lambda: table.put(item), lambda: table.create(item), lambda: table.put_many([{"id": "b"}, item]),
                 lambda: database.transact_write(actions)):  # fmt: skip
        with pytest.raises(ItemTooLarge, match="with its version and timestamps"):
            call()
    assert list(table.scan()) == []


class ShortKeys(MemoryBackend):
    """Takes keys of 20 bytes."""

    limits = Limits(partition_key_bytes=20)


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
@pytest.mark.parametrize("value", [1, True, ["2026"], b"2026"])
def test_a_time_that_nobody_gave_out(table: BoundTable, name: str, value: object) -> None:
    """Times are text, as they were read."""
    for call in (table.put, table.create):
        with pytest.raises(InvalidValue, match="holds a time"):
            call({"id": "a", name: value})


def test_created_items_start_at_version_one(table: BoundTable) -> None:
    """A copy of another item may be created; a version that is none is refused."""
    table.create({"id": "a", "version": 7, "created_at": None})
    created = table.get(id="a")
    assert (created["version"], type(created["created_at"])) == (1, str)
    with pytest.raises(InvalidValue, match="counts versions"):
        table.create({"id": "b", "version": "7"})


def test_one_invalid_member_of_a_batch_writes_nothing(table: BoundTable) -> None:
    """All members are looked at before the first is sent."""
    with pytest.raises(InvalidValue):
        table.put_many([{"id": "a"}, {"id": "b", "version": "1"}])
    assert list(table.scan()) == []
