"""What a backend does with a transaction that it gets: whether it has any, and once more (rules TXN-10, TXN-13)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, F, RetryPolicy, Unsupported
from isthmus import operations as op
from isthmus.errors import Conflict, IsthmusError, TransactionFailed
from isthmus.operations import Context
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.rules import rule

QUICK = RetryPolicy(attempts=4, base=0.001, cap=0.002)


def beneath(database: Database, operation: op.Operation) -> Any:
    """What the backend makes of an operation that nothing checks before it.

    :raises IsthmusError: as it would reach the caller
    """
    backend = database.backend
    try:
        return backend.execute(operation)
    except Exception as error:
        translated = error if isinstance(error, IsthmusError) else backend.translate_error(error, operation)
        assert translated is not None, f"the backend does not know its own error: {error!r}"
        raise translated from error


def written(table: BoundTable, *items: dict[str, Any], when: Any = None) -> op.TransactWrite:
    """A transaction that puts these items, the last one on a condition."""
    *others, last = items
    puts = [op.Put(Context(), table.schema, item) for item in others]
    return op.TransactWrite(Context(), (*puts, op.Put(Context(), table.schema, last, when)))


class TransactionRunSuite(Suite):
    """Transactions straight to the backend, and transactions that are carried out again."""

    @rule("TXN-10")
    def test_transactions_work_exactly_where_they_are_declared(self, database: Database, table: BoundTable) -> None:
        """Behind the guard's back: where none are declared there are none, and a refusal leaves nothing half done."""
        lacking = isinstance(database.backend.capabilities[Capability.TRANSACT_WRITE], Unsupported)
        wrong = written(table, {"id": "1"}, {"id": "2"}, when=F.id.exists())
        with pytest.raises(IsthmusError if lacking else TransactionFailed):
            beneath(database, wrong)
        assert stored_items(database, table) == []
        right = written(table, {"id": "1"}, {"id": "2"})
        if lacking:
            with pytest.raises(IsthmusError):
                beneath(database, right)
        else:
            beneath(database, right)
        assert_same_items([] if lacking else [{"id": "1"}, {"id": "2"}], stored_items(database, table))

    @rule("TXN-10")
    def test_transactional_reads_work_exactly_where_they_are_declared(
        self, database: Database, table: BoundTable
    ) -> None:
        """As for writes."""
        beneath(database, op.Put(Context(), table.schema, {"id": "1"}))
        get = op.TransactGet(Context(), (op.Get(Context(), table.schema, {"id": "1"}),))
        if isinstance(database.backend.capabilities[Capability.TRANSACT_GET], Unsupported):
            with pytest.raises(IsthmusError):
                beneath(database, get)
        else:
            assert_same([{"id": "1"}], list(beneath(database, get).items))

    @rule("TXN-13", "TXN-9", "LYR-3")
    @requires(Capability.TRANSACT_WRITE)
    def test_a_repeated_transaction_is_as_the_caller_built_it(
        self, make_table: MakeTable, open_database: OpenDatabase
    ) -> None:
        """What the caller does to its lists and maps meanwhile reaches no attempt."""
        table = make_table()
        item: dict[str, Any] = {"id": "1", "list": [1], "map": {"x": {"y": 1}}}
        actions: list[Any] = []
        sent: list[op.Operation] = []

        def meanwhile() -> None:
            sent.append(copy.deepcopy(faulty.attempts[-1]))
            item["list"].append(2)
            item["map"]["x"]["y"] = 2
            item["late"] = True
            actions.clear()

        faulty = FaultyBackend(table.database.backend, [Fault(Conflict("in the way"), then=meanwhile)] * 2)
        database = open_database(faulty, retry_policy=QUICK)
        do = database.table(table.schema).actions
        actions += [do.put(item), do.update(id="2", set={"list": item["list"], "map": item["map"]}, upsert=True)]
        database.transact_write(actions)
        assert len(sent) == 2
        assert [_actions(attempt) for attempt in faulty.attempts] == [_actions(sent[0])] * 3
        values = {"list": [1], "map": {"x": {"y": 1}}}
        assert_same_items([{"id": "1", **values}, {"id": "2", **values}], database.table(table.schema).scan())

    @rule("TXN-13")
    @requires(Capability.TRANSACT_WRITE)
    def test_carrying_out_a_transaction_changes_nothing_in_it(self, database: Database, table: BoundTable) -> None:
        """A failed attempt and one that succeeds leave the operation as it was, so that it can be sent again."""
        expected = {"id": "1", "list": [1, {"x": frozenset({1})}], "map": {"x": {"y": [1]}}}
        operation = written(table, {"id": "2"}, copy.deepcopy(expected), when=F.ready == True)  # noqa: E712  # a condition
        before = copy.deepcopy(_actions(operation))
        with pytest.raises(TransactionFailed):
            beneath(database, operation)
        assert _actions(operation) == before
        beneath(database, op.Put(Context(), table.schema, {"id": "1", "ready": True}))
        beneath(database, operation)
        assert _actions(operation) == before
        assert_same_items([expected, {"id": "2"}], stored_items(database, table))


def _actions(operation: op.Operation) -> tuple[op.Action, ...]:
    assert isinstance(operation, op.TransactWrite)
    return operation.actions
