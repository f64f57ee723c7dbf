"""Every operation on items in every state of a lock: what counts is the image that the record says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from core.tests.fallback.clients import Bank, Killed, at, kill, watch
from isthmus import BoundTable, F
from isthmus.errors import AlreadyExists, Conflict, DeadlineExceeded, ItemNotFound
from isthmus.fallback.records import Record
from isthmus.values import Item

BEFORE = {"put": 1, "deleted": 1, "kept": 1, "made": None, "free": None, "gone": None}
AFTER = {"put": 2, "deleted": None, "kept": 1, "made": 2, "free": None, "gone": None}
IDS = tuple(BEFORE)
Amounts = dict[str, int | None]


def die(bank: Bank, step: str) -> None:
    """Somebody dies in a transaction that does everything there is to items."""
    table = bank.accounts(put=1, deleted=1, kept=1)
    do = table.actions
    watch(table.database, at(step, kill))
    with pytest.raises(Killed):
        table.database.transact_write([
            do.update(id="put", set={"n": 2}), do.delete(id="deleted"), do.check(id="kept", when=F.n == 1),
            do.create({"id": "made", "n": 2}), do.check(id="free", when=F.n.not_exists()), do.delete(id="gone"),
        ])  # fmt: skip
    assert bank.locked() == sorted(IDS)


def pending(bank: Bank) -> Amounts:
    """All items are locked, nothing is decided."""
    die(bank, "after_lock_6")
    return BEFORE


def committed(bank: Bank) -> Amounts:
    """The record says so, and nothing is applied."""
    die(bank, "after_commit")
    return AFTER


def aborted(bank: Bank) -> Amounts:
    """Somebody stopped it through its record, and died as well."""
    die(bank, "after_lock_6")
    bank.change_records(lambda item: changed(item, state="aborted", purge_at=int(bank.wall.now) + 100))
    return BEFORE


def orphaned(bank: Bank) -> Amounts:
    """The record is gone."""
    die(bank, "after_lock_6")
    bank.change_records(lambda _item: None)
    return BEFORE


def superseded(bank: Bank) -> Amounts:
    """The record is that of another attempt, as with a token."""
    die(bank, "after_lock_6")
    bank.change_records(lambda item: changed(item, attempt=b"another attempt.", state="committed", items=()))
    return BEFORE


def changed(item: Item, **attributes: Any) -> Item:
    """A record that is different in some points."""
    return evolve(Record.from_item(item), **attributes).to_item()


STATES = [pending, committed, aborted, orphaned, superseded]
State = Callable[[Bank], Amounts]


def amounts(bank: Bank) -> Amounts:
    """What is stored, once all locks are gone."""
    bank.recovered()
    physical = bank.physical()
    return {name: physical[name].get("n") if name in physical else None for name in IDS}  # type: ignore[misc]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
class TestLocked:
    """One operation on every item, each in a store of its own."""

    def each(self, state: State, act: Callable[[BoundTable, str, int | None], int | None]) -> None:
        """Let ``act`` happen to each item; it gives what must be stored then."""
        for name in IDS:
            bank = Bank()
            expected = state(bank)
            after = act(bank.table(bank.client()), name, expected[name])
            assert amounts(bank) == {**expected, name: after}, name

    def test_put(self, state: State) -> None:
        """Replaces whatever counts."""

        def act(table: BoundTable, name: str, seen: int | None) -> int:
            old = table.put({"id": name, "n": 9}, returning="old")
            assert (old or {}).get("n") == seen
            return 9

        self.each(state, act)

    def test_create(self, state: State) -> None:
        """Meets an item only where one counts."""

        def act(table: BoundTable, name: str, seen: int | None) -> int:
            if seen is None:
                table.create({"id": name, "n": 9})
                return 9
            with pytest.raises(AlreadyExists):
                table.create({"id": name, "n": 9})
            return seen

        self.each(state, act)

    def test_update(self, state: State) -> None:
        """Builds on the image that counts."""

        def act(table: BoundTable, name: str, seen: int | None) -> int | None:
            if seen is None:
                with pytest.raises(ItemNotFound):
                    table.update(id=name, add={"n": 5})
                return None
            table.update(id=name, add={"n": 5})
            return seen + 5

        self.each(state, act)

    def test_delete(self, state: State) -> None:
        """Tells whether there was an item that counts."""

        def act(table: BoundTable, name: str, seen: int | None) -> None:
            assert table.delete(id=name) is (seen is not None)

        self.each(state, act)

    def test_conditional_put(self, state: State) -> None:
        """Is judged on the image that counts."""

        def act(table: BoundTable, name: str, seen: int | None) -> int:
            table.put({"id": name, "n": 9}, when=F.n.not_exists() if seen is None else F.n == seen)
            return 9

        self.each(state, act)

    def test_batches(self, state: State) -> None:
        """Members respect locks like single writes."""
        bank = Bank()
        state(bank)
        table = bank.table(bank.client())
        table.put_many([{"id": name, "n": 7} for name in IDS[:4]]).raise_for_failures()
        table.delete_many([{"id": name} for name in IDS[4:]]).raise_for_failures()
        assert amounts(bank) == {**dict.fromkeys(IDS[:4], 7), **dict.fromkeys(IDS[4:])}

    def test_transaction(self, state: State) -> None:
        """Another transaction over the same items builds on what counts."""
        bank = Bank()
        expected = state(bank)
        table = bank.table(bank.client())
        table.database.transact_write([table.actions.update(id=n, add={"n": 10}, upsert=True) for n in IDS])
        assert amounts(bank) == {name: (amount or 0) + 10 for name, amount in expected.items()}

    def test_reads(self, state: State) -> None:
        """Alone, many, and as of one moment, without waiting."""
        bank = Bank()
        expected = state(bank)
        table = bank.table(bank.patient())
        found = table.database.transact_get([table.actions.get(id=name) for name in ("put", "made")])
        assert [(item or {}).get("n") for item in found] == [expected["put"], expected["made"]]
        many = table.get_many([{"id": name} for name in IDS])
        assert [(item or {}).get("n") for item in many] == [expected[name] for name in IDS]
        assert {name: (table.find(id=name) or {}).get("n") for name in IDS} == expected

    def test_snapshot_of_absent_items(self, state: State) -> None:
        """What a dead client left where there is nothing keeps nobody from reading several such items at once."""
        bank = Bank()
        expected = state(bank)
        names = ("deleted", "made", "free", "gone", "never")
        table = bank.table(bank.client(snapshot_rounds=2))
        found = table.database.transact_get([table.actions.get(id=name) for name in names], timeout=5)
        assert [(item or {}).get("n") for item in found] == [expected.get(name) for name in names]
        assert amounts(bank) == expected

    def test_pages(self, state: State) -> None:
        """Scans, filters and counts see the images that count, and no placeholder."""
        bank = Bank()
        expected = state(bank)
        table = bank.table(bank.patient())
        present = {name: amount for name, amount in expected.items() if amount is not None}
        assert {item["id"]: item["n"] for item in table.scan()} == present
        assert table.scan().count() == len(present)
        for amount in (1, 2):
            chosen = sorted(name for name, found in present.items() if found == amount)
            assert sorted(str(item["id"]) for item in table.scan().where(F.n == amount)) == chosen
            assert table.scan().where(F.n == amount).count() == len(chosen)
        assert all(set(item) == {"id", "n"} for item in table.scan())
        assert all(set(item) == {"n"} for item in table.scan().select("n"))

    def test_index_pages(self, state: State) -> None:
        """A query of an index shows no image that does not count; what is not applied yet may be missing."""
        bank = Bank()
        expected = state(bank)
        table = bank.table(bank.patient())
        found = sorted(str(item["id"]) for item in table.query(index="by_n", n=1))
        assert found == sorted(name for name, amount in expected.items() if amount == 1)
        assert {item["id"] for item in table.query(index="by_n", n=2)} <= {
            n for n, amount in expected.items() if amount == 2
        }


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_reads_of_one_item_help(state: State) -> None:
    """Who only reads takes the lock of a dead client away as well, once its lease has run out."""
    bank = Bank()
    expected = state(bank)
    table = bank.table(bank.client())
    for _ in range(8):  # each look at the clock takes a second
        assert {name: (table.find(id=name) or {}).get("n") for name in IDS} == expected
    assert bank.locked() == []


def test_a_live_lock_is_waited_for() -> None:
    """A writer waits until its deadline for a transaction that may be at work; nothing is applied."""
    bank = Bank()
    expected = pending(bank)
    table = bank.table(bank.patient())
    calls: list[Callable[[], Any]] = [
        lambda: table.put({"id": "put", "n": 9}, timeout=0.05), lambda: table.delete(id="made", timeout=0.05),
        lambda: table.database.transact_write(
            [table.actions.put({"id": "kept", "n": 9}), table.actions.put({"id": "x"})], timeout=0.05
        ),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises((Conflict, DeadlineExceeded)) as caught:
            call()
        assert caught.value.maybe_applied is False
    assert amounts(bank) == expected
    assert "x" not in bank.physical()


def test_checks_of_one_item_conflict() -> None:
    """Two transactions that only check the same item wait for each other, as writes do."""
    bank = Bank()
    pending(bank)
    table = bank.table(bank.patient())
    check = table.actions.check(id="kept", when=F.n == 1)
    with pytest.raises((Conflict, DeadlineExceeded)):
        table.database.transact_write([table.actions.put({"id": "x"}), check], timeout=0.05)
    assert table.database.transact_write([check]).replayed is False


def test_a_locked_item_does_not_expire() -> None:
    """Its expiry is off while it is locked, and back with the release; readers judge it all the same."""
    bank = Bank()
    table = bank.accounts(a=1)
    table.put({"id": "b", "n": 1, "expires": int(bank.wall.now) + 100})
    watch(table.database, at("after_lock_2", kill))
    with pytest.raises(Killed):
        table.database.transact_write([table.actions.put({"id": n, "n": 2}) for n in ("a", "b")])
    assert "expires" not in bank.physical()["b"]
    bank.wall.now += 200
    reader = bank.table(bank.patient())
    assert reader.find(id="b") is None
    for number in range(8):  # the store removes what has expired while others write
        reader.put({"id": f"c{number}"})
    assert "b" in bank.physical()
    bank.table(bank.client()).create({"id": "b", "n": 3})
    bank.recovered()
    assert bank.physical()["b"]["n"] == 3
