"""Expiry, judged by a clock that the tests move: an expired item is absent on every path (rules TTL-1 to TTL-6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from isthmus import BoundTable, Capability, F, Index
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidArgument, ItemNotFound, TransactionFailed
from isthmus_conformance.base import START, FakeClock, MakeTable, Suite, requires
from isthmus_conformance.eventually import eventually
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.ttl_machine import TtlMachineSuite

KEY = {"p": "x", "s": "1"}
SOON = START + 100
READS: Mapping[str, tuple[Callable[[BoundTable], Any], Any, Any]] = {
    # how to read, what it gives while the item lives, what it gives once the item has expired
    "find": (lambda table: table.find(KEY) is None, False, True),
    "find with a projection": (lambda table: table.find(KEY, select=["n"]), {"n": 1}, None),
    "query": (lambda table: len(list(table.query(p="x"))), 2, 1),
    "query of one key": (lambda table: len(list(table.query(p="x", s="1"))), 1, 0),
    "filter": (lambda table: len(list(table.query(p="x").where(F.n.exists()))), 2, 1),
    "page": (lambda table: len(table.query(p="x").page(size=2).items), 2, 1),
    "cursor": (lambda table: table.query(p="x").page(size=1).cursor is None, False, True),
    "first": (lambda table: (table.query(p="x").first() or {}).get("s"), "1", "2"),
    "scan": (lambda table: len(list(table.scan())), 2, 1),
    "query count": (lambda table: table.query(p="x").count(), 2, 1),
    "scan count": (lambda table: table.scan().where(F.n > 0).count(), 2, 1),
    "get_many": (lambda table: [item is None for item in table.get_many([KEY, {"p": "x", "s": "2"}])], [False] * 2,
                 [True, False]),
}  # fmt: skip


class ExpirySuite(Suite):
    """Items that expire."""

    @pytest.fixture
    def expiring(self, make_table: MakeTable) -> BoundTable:
        """A table with an expiry attribute, holding one item that expires at ``SOON`` and one that does not."""
        table = make_table(partition_key="p", sort_key="s", ttl="expires")
        table.put_many([{**KEY, "n": 1, "expires": SOON}, {"p": "x", "s": "2", "n": 2}]).raise_for_failures()
        return table

    @pytest.fixture
    def expired(self, expiring: BoundTable, clock: FakeClock) -> BoundTable:
        """The same after ``SOON``."""
        clock.advance(101)
        return expiring

    @rule("TTL-2", "TTL-6")
    @requires(Capability.TTL)
    @pytest.mark.parametrize("path", READS)
    def test_an_expired_item_is_absent(self, expiring: BoundTable, clock: FakeClock, path: str) -> None:
        """Visible until a moment before, absent from the moment on, on this path."""
        read, living, gone = READS[path]
        clock.now = SOON - 0.5
        before = read(expiring)
        clock.now = SOON
        assert (path, before, read(expiring)) == (path, living, gone)

    @rule("TTL-2")
    @requires(Capability.TTL)
    def test_get_of_an_expired_item_is_not_found(self, expired: BoundTable) -> None:
        """As if it had never been."""
        with pytest.raises(ItemNotFound):
            expired.get(KEY)

    @rule("TTL-2")
    @requires(Capability.TTL, Capability.SECONDARY_INDEX)
    def test_an_expired_item_is_absent_from_indexes(self, make_table: MakeTable, clock: FakeClock) -> None:
        """An index hides what its table hides."""
        table = make_table(ttl="expires", indexes=[Index("by_group", "g", projection="keys")])
        table.put({"id": "1", "g": "g", "expires": SOON})
        eventually(1, table.query(g="g", index="by_group").count)
        clock.now = SOON
        assert list(table.query(g="g", index="by_group")) == []

    @rule("TTL-2", "QRY-14")
    @requires(Capability.TTL)
    def test_pages_are_filled_past_expired_items(self, make_table: MakeTable, clock: FakeClock) -> None:
        """Expired items don't count for a page, nor for its cursor."""
        table = make_table(partition_key="p", sort_key="s", ttl="expires")
        items = [{"p": "x", "s": f"{n:02}", **({"expires": SOON} if n % 4 else {})} for n in range(40)]
        table.put_many(items).raise_for_failures()
        clock.now = SOON
        page = table.query(p="x").page(size=10)
        assert ([item["s"] for item in page.items], page.cursor) == ([f"{n:02}" for n in range(0, 40, 4)], None)

    @rule("TTL-2", "CND-3")
    @requires(Capability.TTL)
    def test_create_over_an_expired_item(self, expired: BoundTable) -> None:
        """The key is free."""
        expired.create({**KEY, "new": True})
        assert expired.get(KEY) == {**KEY, "new": True}
        with pytest.raises(AlreadyExists):
            expired.create(KEY)

    @rule("TTL-2", "CND-1")
    @requires(Capability.TTL, Capability.CONDITIONAL_WRITE)
    def test_conditions_see_no_expired_item(self, expired: BoundTable) -> None:
        """A condition is judged on an item without attributes, and the error carries no item."""
        writes: list[Callable[[], Any]] = [
            lambda: expired.put(KEY, when=F.n == 1), lambda: expired.delete(KEY, when=F.n.exists()),
            lambda: expired.update(KEY, set={"m": 1}, when=F.n == 1),
            lambda: expired.update(KEY, set={"m": 1}, when=F.n == 1, upsert=True),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(ConditionFailed) as caught:
                write()
            assert caught.value.current is None
        expired.put({**KEY, "m": 2}, when=F.n.not_exists())
        assert expired.get(KEY) == {**KEY, "m": 2}

    @rule("TTL-2", "UPD-1")
    @requires(Capability.TTL)
    def test_update_of_an_expired_item(self, expired: BoundTable) -> None:
        """There is nothing to update; an upsert starts from nothing."""
        with pytest.raises(ItemNotFound):
            expired.update(KEY, add={"n": 1})
        assert expired.update(KEY, add={"n": 5}, upsert=True, returning="new") == {**KEY, "n": 5}
        assert expired.get(KEY) == {**KEY, "n": 5}

    @rule("TTL-2", "UPD-1")
    @requires(Capability.TTL, Capability.UPSERT)
    def test_an_upsert_that_only_removes_creates_nothing(self, expired: BoundTable) -> None:
        """Over an expired item as over none."""
        expired.update(KEY, remove="n", upsert=True)
        assert expired.find(KEY) is None

    @rule("TTL-2", "CND-4")
    @requires(Capability.TTL)
    def test_delete_of_an_expired_item(self, expired: BoundTable) -> None:
        """There was none."""
        assert expired.delete(KEY) is False

    @rule("TTL-2", "UPD-13")
    @requires(Capability.TTL, Capability.RETURN_OLD)
    def test_images_hide_expired_items(self, expired: BoundTable) -> None:
        """The old image of a put, an update or a delete over an expired item is none."""
        assert expired.pop(KEY) is None
        expired.put({**KEY, "expires": START + 200})
        assert expired.put({**KEY, "expires": START + 201}, returning="old") == {**KEY, "expires": START + 200}

    @rule("TTL-2", "UPD-13")
    @requires(Capability.TTL, Capability.RETURN_OLD)
    def test_a_put_over_an_expired_item_returns_nothing(self, expired: BoundTable) -> None:
        """What it replaces is absent."""
        assert expired.put(KEY, returning="old") is None

    @rule("TTL-2", "BAT-5")
    @requires(Capability.TTL, Capability.BATCH_WRITE)
    def test_batches_write_over_expired_items(self, expired: BoundTable) -> None:
        """A batch brings a key back to life without its old attributes."""
        expired.put_many([{**KEY, "m": 1}]).raise_for_failures()
        assert expired.get(KEY) == {**KEY, "m": 1}

    @rule("TTL-2", "TXN-6")
    @requires(Capability.TTL, Capability.TRANSACT_WRITE, Capability.TRANSACT_GET)
    def test_transactions_see_no_expired_item(self, expired: BoundTable) -> None:
        """Checks, updates, creates and snapshot reads of a transaction."""
        do, database = expired.actions, expired.database
        assert list(database.transact_get([do.get(KEY)])) == [None]
        for action in (do.check(KEY, when=F.n.exists()), do.put(KEY, when=F.n == 1), do.update(KEY, set={"n": 1})):
            with pytest.raises(TransactionFailed):
                database.transact_write([action])
        database.transact_write([do.create({**KEY, "n": 9})])
        assert list(database.transact_get([do.get(KEY)])) == [{**KEY, "n": 9}]


class ExpiryValueSuite(Suite):
    """What the expiry attribute may hold, and how it changes."""

    @rule("TTL-1")
    @requires(Capability.TTL)
    @pytest.mark.parametrize("value", ["1", str(START), "", None, True, False, [1], {"n": 1}, frozenset({1}), b"1"])
    def test_other_types_never_expire(self, make_table: MakeTable, clock: FakeClock, value: Any) -> None:
        """Only a number is an expiry time."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": value})
        clock.advance(10**10)
        assert table.get(id="1") == {"id": "1", "expires": value}
        assert [table.scan().count(), table.query(id="1").count()] == [1, 1]

    @rule("TTL-1")
    @requires(Capability.TTL)
    @pytest.mark.parametrize("expires", [START + 1, Decimal(START) + Decimal("0.25"), 10**20, Decimal("9.99E+125")])
    def test_any_number_expires_at_its_time(self, make_table: MakeTable, clock: FakeClock, expires: Any) -> None:
        """Fractions of seconds and far futures are times like any other."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": expires})
        clock.now = START + 0.2
        assert table.find(id="1") is not None
        clock.now = float(expires)
        assert (table.find(id="1"), table.scan().count()) == (None, 0)

    @rule("TTL-3")
    @requires(Capability.TTL)
    def test_the_far_past_hides_too(self, make_table: MakeTable, clock: FakeClock) -> None:
        """An item that expired a lifetime ago is as absent as one that expired now."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": START + 1})
        clock.advance(60 * 365 * 86_400)
        assert (table.find(id="1"), table.scan().count()) == (None, 0)

    @rule("TTL-5")
    @requires(Capability.TTL)
    @pytest.mark.parametrize("expires", [START, START - 1, 0, -1, Decimal("-9.99E+125"), START - 0.5])
    def test_past_expiry_is_refused(self, make_table: MakeTable, expires: Any) -> None:
        """On every write, and there is no magic number."""
        table = make_table(ttl="expires")
        item = {"id": "1", "expires": expires}
        table.put({"id": "2"})
        writes: list[Callable[[], Any]] = [
            lambda: table.put(item), lambda: table.create(item), lambda: table.put_many([{"id": "3"}, item]),
            lambda: table.update(id="2", set={"expires": expires}),
            lambda: table.update(id="2", set_if_absent={"expires": expires}), lambda: table.actions.put(item),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(InvalidArgument):
                write()
        assert list(table.scan()) == [{"id": "2"}]

    @rule("TTL-5")
    @requires(Capability.TTL, Capability.UPDATE)
    @pytest.mark.parametrize(
        "change",
        [
            {"add": {"expires": -10}},
            {"add": {"expires": Decimal("-99.5")}},
            {"copy": {"expires": "past"}},
            {"copy": {"expires": F.list[0]}},
        ],
        ids=repr,
    )
    def test_an_update_cannot_let_an_item_expire_at_once(self, make_table: MakeTable, change: dict[str, Any]) -> None:
        """Whatever it computes: the result is judged, and a refused update changes nothing."""
        table = make_table(ttl="expires")
        item = {"id": "1", "expires": START + 10, "past": 5, "list": [START]}
        table.put(item)
        with pytest.raises(InvalidArgument):
            table.update(id="1", **change)
        assert table.get(id="1") == item

    @rule("TTL-5")
    @requires(Capability.TTL, Capability.UPDATE, Capability.TRANSACT_WRITE)
    def test_a_transaction_cannot_let_an_item_expire_at_once(self, make_table: MakeTable) -> None:
        """The reason stands at its place."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": START + 10})
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([table.actions.update(id="1", add={"expires": -10})])
        assert [type(reason) for reason in caught.value.reasons] == [InvalidArgument]
        assert table.get(id="1") == {"id": "1", "expires": START + 10}

    @rule("TTL-5", "TTL-4")
    @requires(Capability.TTL, Capability.UPDATE)
    def test_an_update_may_move_the_expiry(self, make_table: MakeTable) -> None:
        """Later, sooner but not yet, away, or to something that is no number."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": START + 10})
        changes: list[dict[str, Any]] = [
            {"add": {"expires": 10}}, {"add": {"expires": Decimal("-19.5")}}, {"set": {"expires": "never"}},
            {"remove": "expires"}, {"add": {"expires": START + 1}},
        ]  # fmt: skip
        found = [table.update(id="1", returning="new", **change) for change in changes]
        expires = [None if item is None else item.get("expires") for item in found]
        assert expires == [START + 20, START + Decimal("0.5"), "never", None, START + 1]

    @rule("TTL-4")
    @requires(Capability.TTL)
    def test_a_put_without_expiry_clears_it(self, make_table: MakeTable, clock: FakeClock) -> None:
        """A put replaces the whole item, its expiry too."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": SOON})
        table.put({"id": "1"})
        clock.advance(1_000)
        assert table.get(id="1") == {"id": "1"}

    @rule("TTL-4")
    @requires(Capability.TTL)
    def test_an_update_keeps_expiry(self, make_table: MakeTable, clock: FakeClock) -> None:
        """Only an update of the attribute itself changes it."""
        table = make_table(ttl="expires")
        table.put_many([{"id": f"{n}", "expires": SOON} for n in range(4)]).raise_for_failures()
        table.update(id="0", set={"n": 1})
        table.update(id="1", set={"expires": SOON + 1_000})
        table.update(id="2", remove="expires")
        table.update(id="3", add={"expires": 1_000})
        clock.now = SOON
        assert sorted(str(item["id"]) for item in table.scan()) == ["1", "2", "3"]

    @rule("TTL-1")
    @requires(Capability.TTL)
    def test_a_table_without_expiry_ignores_the_name(self, make_table: MakeTable, clock: FakeClock) -> None:
        """Only the declared attribute expires an item."""
        table = make_table()
        table.put({"id": "1", "expires": START - 5, "ttl": 1})
        clock.advance(1_000)
        assert table.get(id="1") == {"id": "1", "expires": START - 5, "ttl": 1}


class TtlSuite(ExpirySuite, ExpiryValueSuite, TtlMachineSuite):
    """Expiry."""
