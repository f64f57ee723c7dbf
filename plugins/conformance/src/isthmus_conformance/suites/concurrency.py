"""Several threads, and several tasks, on one database (rules CND-9, TAB-6, TXN-5, TXN-9, TXN-12, QRY-15)."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus import BoundTable, Capability, F
from isthmus.errors import AlreadyExists, ConditionFailed, Conflict, IsthmusError, TransactionFailed, VersionConflict
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.rules import rule
from isthmus_conformance.together import Steps, one, together

WRITERS = 8
ROUNDS = 10


def winners(outcomes: list[Any], loss: type[IsthmusError]) -> list[int]:
    """Who succeeded; everybody else must have failed with ``loss``."""
    others = [outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, loss)]
    assert others == [], f"losers fail with {loss.__name__}, not with {others!r}"
    return [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]


def persistent(table: Any, act: Any) -> Steps:
    """Repeat a call for as long as another writer is in the way."""
    while True:
        try:
            return (yield act(table))
        except Conflict:
            continue


class RaceSuite(Suite):
    """Writers of one item."""

    @rule("CND-9", "CND-3")
    def test_one_create_wins(self, table: BoundTable) -> None:
        """Of eight creates of one key exactly one succeeds, and its item is stored."""
        for number in range(ROUNDS):
            scripts = [one("create", {"id": f"{number}", "writer": writer}) for writer in range(WRITERS)]
            won = winners(together(table, scripts), AlreadyExists)
            assert [table.get(id=f"{number}")["writer"]] == won

    @rule("CND-9", "CND-2")
    @requires(Capability.CONDITIONAL_WRITE, Capability.UPDATE)
    def test_one_conditional_update_wins(self, table: BoundTable) -> None:
        """Of eight updates that expect the same revision exactly one succeeds."""
        table.put({"id": "1", "revision": 0})
        for number in range(ROUNDS):
            when = F.revision == number
            changes = [{"revision": number + 1, "writer": writer} for writer in range(WRITERS)]
            scripts = [one("update", id="1", set=new, when=when) for new in changes]
            won = winners(together(table, scripts), ConditionFailed)
            assert [table.get(id="1")] == [{"id": "1", "revision": number + 1, "writer": writer} for writer in won]

    @rule("CND-9", "CND-2")
    @requires(Capability.CONDITIONAL_WRITE)
    def test_one_conditional_put_wins(self, table: BoundTable) -> None:
        """The same for replacing an item."""
        table.put({"id": "1", "revision": 0})
        for number in range(ROUNDS):
            when = F.revision == number
            items = [{"id": "1", "revision": number + 1, "writer": writer} for writer in range(WRITERS)]
            scripts = [one("put", item, when=when) for item in items]
            won = winners(together(table, scripts), ConditionFailed)
            assert [table.get(id="1")] == [items[writer] for writer in won]

    @rule("CND-9", "CND-5")
    @requires(Capability.CONDITIONAL_DELETE)
    def test_one_conditional_delete_wins(self, table: BoundTable) -> None:
        """An item is taken by exactly one of those who want it."""
        for number in range(ROUNDS):
            table.put({"id": f"{number}", "free": True})
            scripts = [one("delete", id=f"{number}", when=F.free.exists())] * WRITERS
            assert len(winners(together(table, scripts), ConditionFailed)) == 1

    @rule("CND-9", "CND-4")
    def test_one_delete_meets_the_item(self, table: BoundTable) -> None:
        """Of several deletes exactly one tells that there was an item."""
        for number in range(ROUNDS):
            table.put({"id": f"{number}"})
            scripts = [one("delete", id=f"{number}")] * WRITERS
            assert sorted(together(table, scripts)) == [False] * (WRITERS - 1) + [True]

    @rule("CND-9", "TAB-6")
    @requires(Capability.UPDATE)
    def test_no_increment_is_lost(self, table: BoundTable) -> None:
        """Eight writers add one, many times each: the sum is exact."""
        table.put({"id": "1", "n": 0})

        def script(shared: Any) -> Steps:
            for _ in range(ROUNDS):
                yield from persistent(shared, lambda bound: bound.update(id="1", add={"n": 1}))

        assert together(table, [script] * WRITERS) == [None] * WRITERS
        assert table.get(id="1") == {"id": "1", "n": WRITERS * ROUNDS}

    @rule("CND-9", "UPD-1")
    @requires(Capability.UPDATE, Capability.UPSERT)
    def test_no_upsert_is_lost(self, table: BoundTable) -> None:
        """Several upserts of a missing item each count."""
        for number in range(ROUNDS):
            scripts = [
                lambda shared, key=f"{number}": persistent(
                    shared, lambda bound: bound.update(id=key, add={"n": 1}, upsert=True)
                )
            ] * WRITERS
            together(table, scripts)
            assert table.get(id=f"{number}") == {"id": f"{number}", "n": WRITERS}

    @rule("CND-9")
    @requires(Capability.CONDITIONAL_WRITE)
    def test_versioned_writers_conflict(self, make_table: MakeTable) -> None:
        """Those who read the same version: one writes, the others learn that they were late."""
        table = make_table(versioned=True)
        table.create({"id": "1", "n": 0})
        for number in range(ROUNDS):
            item = table.get(id="1")
            scripts = [one("put", {**item, "n": n}) for n in range(WRITERS)]
            won = winners(together(table, scripts), VersionConflict)
            assert [table.get(id="1")] == [{"id": "1", "n": n, "version": number + 2} for n in won]

    @rule("CND-9", "CND-6")
    @requires(Capability.CONDITIONAL_WRITE)
    def test_read_and_write_again_until_it_holds(self, make_table: MakeTable) -> None:
        """A loop of get and put on a versioned table loses no update."""
        table = make_table(versioned=True)
        table.create({"id": "1", "n": 0})

        def script(shared: Any) -> Steps:
            for _ in range(3):
                while True:
                    item = yield shared.get(id="1")
                    try:
                        yield shared.put({**item, "n": item["n"] + 1})
                        break
                    except VersionConflict:
                        continue

        together(table, [script] * WRITERS)
        assert table.get(id="1") == {"id": "1", "n": 3 * WRITERS, "version": 3 * WRITERS + 1}


class IsolationSuite(Suite):
    """Transactions and readers at the same time."""

    @rule("TXN-5", "TXN-9", "TXN-12")
    @requires(Capability.TRANSACT_WRITE, Capability.TRANSACT_GET)
    def test_nobody_sees_half_a_transfer(self, table: BoundTable) -> None:
        """Money moves between four accounts: every snapshot, and the end, has the same sum."""
        accounts = ["a", "b", "c", "d"]
        table.put_many([{"id": account, "n": 100} for account in accounts]).raise_for_failures()

        def transfers(giver: str, taker: str) -> Any:
            def script(shared: Any) -> Steps:
                for amount in range(1, ROUNDS):
                    yield from persistent(shared, lambda bound, amount=amount: bound.database.transact_write([
                        bound.actions.update(id=giver, add={"n": -amount}),
                        bound.actions.update(id=taker, add={"n": amount}),
                    ]))  # fmt: skip

            return script

        def snapshots(shared: Any) -> Steps:
            sums = []
            for _ in range(ROUNDS * 2):
                found = yield shared.database.transact_get([shared.actions.get(id=account) for account in accounts])
                sums.append(sum(item["n"] for item in found))
            return sums

        pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("b", "d")]
        outcomes = together(table, [snapshots, *(transfers(*pair) for pair in pairs), snapshots])
        assert (outcomes[0], outcomes[-1]) == ([400] * ROUNDS * 2, [400] * ROUNDS * 2)
        assert outcomes[1:-1] == [None] * len(pairs)
        moved = sum(range(1, ROUNDS))
        found = {item["id"]: item["n"] for item in table.scan()}
        assert found == {"a": 100 + moved, "b": 100 - moved, "c": 100, "d": 100}

    @rule("TXN-5")
    @requires(Capability.TRANSACT_WRITE)
    def test_no_write_skew(self, table: BoundTable) -> None:
        """Two transactions that each check what the other writes: never both are applied."""
        for number in range(ROUNDS):
            left, right = f"left{number}", f"right{number}"

            def script(mine: str, other: str) -> Any:
                return lambda shared: persistent(shared, lambda bound: bound.database.transact_write([
                    bound.actions.check(id=other, when=F.id.not_exists()), bound.actions.put({"id": mine}),
                ]))  # fmt: skip

            outcomes = together(table, [script(left, right), script(right, left)])
            assert len(winners(outcomes, TransactionFailed)) == 1

    @rule("TXN-8", "TXN-5")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_racing_replays_apply_once(self, table: BoundTable) -> None:
        """One transaction under one token, sent by all at once, has one effect."""
        table.put({"id": "1", "n": 0})
        for number in range(ROUNDS):
            token = f"{number}{table.name}"[-36:]
            script: Any = lambda shared, token=token: persistent(shared, lambda bound: bound.database.transact_write(  # noqa: E731
                [bound.actions.update(id="1", add={"n": 1})], token=token
            ))  # fmt: skip
            outcomes = together(table, [script] * WRITERS)
            assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * (WRITERS - 1)
        assert table.get(id="1") == {"id": "1", "n": ROUNDS}

    @rule("QRY-15", "TAB-6")
    @pytest.mark.parametrize("kind", ["query", "scan"])
    def test_paging_while_others_write(self, sorted_table: BoundTable, kind: str) -> None:
        """Items that nobody touches come exactly once, whatever others insert and delete."""
        steady = [{"pk": "x", "sk": f"{n:03}"} for n in range(0, 200, 2)]
        sorted_table.put_many(steady).raise_for_failures()

        def reader(shared: Any) -> Steps:
            keys: list[Any] = []
            cursor = None
            while True:
                selection = shared.query(pk="x") if kind == "query" else shared.scan()
                page = yield selection.page(size=7, cursor=cursor)
                keys += [item["sk"] for item in page.items]
                cursor = page.cursor
                if cursor is None:
                    return keys

        def writer(first: int) -> Any:
            def script(shared: Any) -> Steps:
                for n in range(first, 200, 14):
                    yield shared.put({"pk": "x", "sk": f"{n:03}"})
                    yield shared.delete(pk="x", sk=f"{n:03}")

            return script

        outcomes = together(sorted_table, [reader, *(writer(2 * n + 1) for n in range(6)), reader])
        for keys in (outcomes[0], outcomes[-1]):
            assert len(keys) == len(set(keys))
            assert sorted(key for key in keys if int(key) % 2 == 0) == [item["sk"] for item in steady]

    @rule("TAB-6", "BAT-7")
    @requires(Capability.BATCH_WRITE, Capability.BATCH_GET)
    def test_batches_at_the_same_time(self, table: BoundTable) -> None:
        """Writers of disjoint keys don't disturb each other."""

        def script(writer: int) -> Any:
            items = [{"id": f"{writer}-{n}", "n": n} for n in range(60)]

            def steps(shared: Any) -> Steps:
                result = yield shared.put_many(items)
                found = yield shared.get_many([{"id": item["id"]} for item in items])
                return len(result.failures), list(found) == items

            return steps

        assert together(table, [script(writer) for writer in range(WRITERS)]) == [(0, True)] * WRITERS
        assert table.scan().count() == 60 * WRITERS


class ConcurrencySuite(RaceSuite, IsolationSuite):
    """Concurrency."""
