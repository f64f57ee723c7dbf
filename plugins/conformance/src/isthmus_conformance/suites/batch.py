"""Batches: any size, order, duplicates, invalid members, and leftovers (rules BAT-1 to BAT-8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from isthmus import Capability, RetryPolicy
from isthmus.errors import InvalidArgument, InvalidKey, InvalidValue, ItemTooLarge, Throttled
from isthmus.operations import PutMany
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.retries import RetrySuite

SIZES = (0, 1, 2, 24, 25, 26, 99, 100, 101, 1_000)
INVALID: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
    ({"id": ""}, InvalidKey), ({"id": 5}, InvalidKey), ({}, InvalidKey), ({"id": "i", "n": float("nan")}, InvalidValue),
    ({"id": "i", "n": object()}, InvalidValue), ({"id": "i", "s": frozenset()}, InvalidValue),
    ({"id": "i", "t": "\ud800"}, InvalidValue), ({"id": "i", "t": "t" * 409_600}, ItemTooLarge),
)  # fmt: skip
IMPATIENT = RetryPolicy(attempts=1)


def some(count: int) -> list[dict[str, Any]]:
    """That many items, numbered."""
    return [{"id": f"{n}", "n": n} for n in range(count)]


def keys(count: int) -> list[dict[str, Any]]:
    """Their keys."""
    return [{"id": f"{n}"} for n in range(count)]


def members(batch: Any) -> int:
    """How many members a batch operation has."""
    return len(batch.items if isinstance(batch, PutMany) else batch.keys)


class BatchReadSuite(Suite):
    """Reading many items."""

    @rule("BAT-1", "BAT-5", "BAT-8")
    @requires(Capability.BATCH_GET, Capability.BATCH_WRITE)
    @pytest.mark.parametrize("size", SIZES)
    def test_batches_of_any_size(self, make_table: MakeTable, size: int) -> None:
        """Writing, reading in another order, and removing that many items."""
        table = make_table()
        assert table.put_many(some(size)).raise_for_failures().written == size
        answers = table.get_many(reversed(keys(size))).raise_for_failures()
        assert list(answers) == list(reversed(some(size)))
        assert table.delete_many(keys(size)).raise_for_failures().written == size
        assert table.scan().count() == 0

    @rule("BAT-5")
    @requires(Capability.BATCH_GET)
    def test_missing_items_are_none_at_their_place(self, make_table: MakeTable) -> None:
        """Answers stand in request order, whatever exists."""
        table = make_table()
        table.put_many(some(150)).raise_for_failures()
        wanted = [{"id": f"{n * 7 % 300}"} for n in range(300)]
        right = [{"id": f"{n * 7 % 300}", "n": n * 7 % 300} if n * 7 % 300 < 150 else None for n in range(300)]
        assert list(table.get_many(wanted)) == right

    @rule("BAT-2", "BAT-5")
    @requires(Capability.BATCH_GET)
    def test_a_key_read_twice_is_answered_twice(self, make_table: MakeTable) -> None:
        """Each place gets its answer; 1 and 1.0 are one key."""
        table = make_table(partition_key=("id", int)) if self._numbers(make_table) else make_table()
        one: Any = 1 if table.schema.partition_key.type == "number" else "1"
        same: Any = 1.0 if table.schema.partition_key.type == "number" else "1"
        table.put({"id": one, "n": 1})
        asked = [{"id": one}, {"id": one + one}, {"id": same}, {"id": one}]
        item = {"id": one, "n": 1}
        assert_same([item, None, item, item], list(table.get_many(asked)))

    def _numbers(self, make_table: MakeTable) -> bool:
        """Whether number keys are supported."""
        return make_table().database.capabilities.supports(Capability.NUMBER_KEY)

    @rule("BAT-5", "QRY-11")
    @requires(Capability.BATCH_GET, Capability.PROJECTION)
    def test_a_projection_holds_for_each_answer(self, make_table: MakeTable) -> None:
        """An item of which nothing is left is empty, which is not missing."""
        table = make_table()
        table.put_many([{"id": "0", "a": 1}, {"id": "1", "b": 2}]).raise_for_failures()
        assert list(table.get_many(keys(3), select=["a"])) == [{"a": 1}, {}, None]

    @rule("BAT-8")
    @requires(Capability.BATCH_GET, Capability.STRONG_READ)
    def test_batch_reads_see_the_write_before_them(self, make_table: MakeTable) -> None:
        """Strong by default."""
        table = make_table()
        for n in range(20):
            table.put({"id": "0", "n": n})
            assert list(table.get_many(keys(1))) == [{"id": "0", "n": n}]


class BatchWriteSuite(Suite):
    """Writing many items."""

    @rule("BAT-2")
    @requires(Capability.BATCH_WRITE)
    def test_duplicates_in_a_write_are_refused(self, make_table: MakeTable) -> None:
        """The error names both positions, and nothing is written."""
        table = make_table()
        items = [*some(30), {"id": "4", "n": "again"}]
        with pytest.raises(InvalidArgument, match=r"\b4\b.*\b30\b"):
            table.put_many(items)
        with pytest.raises(InvalidArgument, match=r"\b4\b.*\b30\b"):
            table.delete_many([*keys(30), {"id": "4"}])
        assert table.scan().count() == 0

    @rule("BAT-2", "KEY-4")
    @requires(Capability.BATCH_WRITE, Capability.NUMBER_KEY)
    def test_equal_numbers_are_duplicates(self, make_table: MakeTable) -> None:
        """1 and 1.0 are one key."""
        table = make_table(partition_key=("id", int))
        with pytest.raises(InvalidArgument):
            table.put_many([{"id": 1}, {"id": 1.0}])

    @rule("BAT-4")
    @requires(Capability.BATCH_WRITE)
    @pytest.mark.parametrize(("bad", "error"), INVALID, ids=[f"{n}" for n in range(len(INVALID))])
    @pytest.mark.parametrize("place", [0, 60, 119])
    def test_one_invalid_member_writes_nothing(
        self, make_table: MakeTable, bad: dict[str, Any], error: type[Exception], place: int
    ) -> None:
        """All members are checked before the first is written."""
        table = make_table()
        items = some(119)
        items.insert(place, bad)
        with pytest.raises(error):
            table.put_many(items)
        assert table.scan().count() == 0

    @rule("BAT-4")
    @requires(Capability.BATCH_WRITE)
    def test_one_invalid_key_removes_nothing(self, make_table: MakeTable) -> None:
        """The same for deletes."""
        table = make_table()
        table.put_many(some(40)).raise_for_failures()
        for bad in ({"id": ""}, {"id": 5}, {}, {"id": "1", "more": 1}):
            with pytest.raises(InvalidKey):
                table.delete_many([*keys(30), bad])
        assert table.scan().count() == 40

    @rule("BAT-6", "BAT-7")
    @requires(Capability.BATCH_WRITE, Capability.CONDITIONAL_WRITE)
    def test_versioned_batches_report_each_conflict(self, make_table: MakeTable) -> None:
        """A stale member fails at its place; the others are written."""
        table = make_table(versioned=True)
        table.put_many(some(3)).raise_for_failures()
        fresh = list(table.get_many(keys(3)))
        table.update(id="1", set={"n": 100})
        result = table.put_many([{**(item or {}), "n": -1} for item in fresh])
        assert [(failure.position, failure.error.code) for failure in result.failures] == [(1, "version_conflict")]
        assert [item and item["n"] for item in table.get_many(keys(3))] == [-1, 100, -1]

    @rule("BAT-1", "BAT-5")
    @requires(Capability.BATCH_GET, Capability.BATCH_WRITE)
    def test_batches_equal_single_calls(self, make_table: MakeTable) -> None:
        """Put, delete and get of many give what single calls give in a dictionary."""
        table = make_table()
        places = st.lists(st.integers(0, 8), max_size=9, unique=True)

        @given(puts=places, deletes=places, gets=st.lists(st.integers(0, 10), max_size=12), mark=st.integers(0, 9))
        def check(puts: list[int], deletes: list[int], gets: list[int], mark: int) -> None:
            before = {str(item["id"]): item for item in table.scan()}
            model = before | {f"{n}": {"id": f"{n}", "mark": mark} for n in puts}
            table.put_many([{"id": f"{n}", "mark": mark} for n in puts]).raise_for_failures()
            table.delete_many([{"id": f"{n}"} for n in deletes]).raise_for_failures()
            model = {key: item for key, item in model.items() if int(key) not in deletes}
            assert_same([model.get(f"{n}") for n in gets], list(table.get_many([{"id": f"{n}"} for n in gets])))
            assert_same_items(model.values(), table.scan())

        check()

    @rule("BAT-3", "BAT-1")
    @requires(Capability.BATCH_WRITE)
    def test_a_batch_replaces_what_is_there(self, make_table: MakeTable) -> None:
        """A member that counts as written is stored whole, also where its key was taken."""
        table = make_table()
        old = [{"id": f"{n}", "n": -1, "old": True} for n in range(0, 60, 2)]
        assert table.put_many(old).raise_for_failures().written == 30
        assert table.put_many(some(60)).raise_for_failures().written == 60
        assert_same_items(some(60), table.scan())


class LeftoverSuite(Suite):
    """Members that the store leaves over: reported at their place, never taken for missing or done."""

    @rule("BAT-3")
    @requires(Capability.BATCH_GET)
    def test_members_left_over_by_a_read_are_failures(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """What was not read is listed as throttled with its position; the rest is answered in order."""
        table = make_table()
        table.put_many(some(6)).raise_for_failures()
        faulty = FaultyBackend(table.database.backend, [Fault(leftovers={1, 4})] * 20)
        result = open_database(faulty, retry_policy=IMPATIENT).table(table.schema).get_many(keys(8))
        assert [item and item["n"] for item in result] == [0, None, 2, 3, None, 5, None, None]
        assert [(failure.position, type(failure.error)) for failure in result.failures] == [
            (1, Throttled), (4, Throttled),
        ]  # fmt: skip

    @rule("BAT-2", "BAT-3")
    @requires(Capability.BATCH_GET)
    def test_a_failed_key_fails_at_each_of_its_places(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """A key that was asked for twice and left over is two failures."""
        table = make_table()
        faulty = FaultyBackend(table.database.backend, [Fault(leftovers={0})] * 20)
        asked = [{"id": "0"}, {"id": "1"}, {"id": "0"}]
        result = open_database(faulty, retry_policy=IMPATIENT).table(table.schema).get_many(asked)
        assert [failure.position for failure in result.failures] == [0, 2]

    @rule("BAT-3", "BAT-7")
    @requires(Capability.BATCH_WRITE)
    def test_members_left_over_by_a_write_are_failures(
        self, make_table: MakeTable, open_database: OpenDatabase
    ) -> None:
        """What was not written is listed in request order, and only that is missing in the store."""
        table = make_table()
        faulty = FaultyBackend(table.database.backend, [Fault(leftovers={4, 0})] * 20)
        result = open_database(faulty, retry_policy=IMPATIENT).table(table.schema).put_many(some(6))
        assert ([failure.position for failure in result.failures], result.written) == ([0, 4], 4)
        assert sorted(str(item["id"]) for item in table.scan()) == ["1", "2", "3", "5"]
        with pytest.raises(Throttled):
            result.raise_for_failures()

    @rule("BAT-3")
    @requires(Capability.BATCH_WRITE, Capability.BATCH_GET)
    def test_leftovers_are_sent_again(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """The core repeats what was left over, and only that, until nothing is."""
        table = make_table()
        plan = [Fault(leftovers={1, 3}), Fault(leftovers={0}), Fault()]
        policy = RetryPolicy(attempts=5, base=0.001)
        for name, arguments in (("put_many", some(5)), ("get_many", keys(5)), ("delete_many", keys(5))):
            faulty = FaultyBackend(table.database.backend, plan)
            bound = open_database(faulty, retry_policy=policy).table(table.schema)
            result = getattr(bound, name)(arguments)
            assert (name, result.failures) == (name, ())
            sizes = [members(attempt) for attempt in faulty.attempts]
            assert (name, sizes) == (name, [5, 2, 1])
            if name == "get_many":
                assert list(result) == some(5)
            else:
                assert result.written == 5


class BatchSuite(BatchReadSuite, BatchWriteSuite, LeftoverSuite, RetrySuite):
    """Batches, and what the core makes of faults."""
