"""Units of work that are run again (rule TXN-19)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, UnitOfWork
from isthmus.errors import (
    ConditionFailed,
    Conflict,
    OutcomeUnknown,
)
from isthmus_conformance.base import OpenDatabase, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same_items
from isthmus_conformance.faults import Fault
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.tokens import own_token
from isthmus_conformance.suites.unit_stores import NEEDED, filled, filled_items, same_store


class RunSuite(Suite):
    """Units of work that are run again."""

    @rule("TXN-19", "TXN-5", "TXN-9")
    @requires(*NEEDED)
    def test_no_addition_is_lost(self, database: Database, table: BoundTable) -> None:
        """Several threads or tasks read, add and write, as often as it takes."""
        filled(table, 0, 0)

        def add(tx: UnitOfWork) -> None:
            inside: Any = tx.table(table)
            first, second = inside.get(id="1"), inside.get(id="2")
            if first["n"] != second["n"]:
                raise ArithmeticError("read between two commits")
            inside.put({**first, "n": first["n"] + 1})
            inside.put({**second, "n": second["n"] + 1})

        with ThreadPoolExecutor(3) as pool:
            runs = [pool.submit(database.run_transaction, add, attempts=1_000) for _ in range(9)]
            for one in runs:
                one.result()
        assert_same_items(filled_items(9, 9), stored_items(database, table))

    @rule("TXN-19")
    @requires(*NEEDED)
    def test_it_is_run_again_until_nobody_is_in_the_way(self, database: Database, table: BoundTable) -> None:
        """What the last run returned is returned; too many conflicts are one, which says how many there were."""
        filled(table, 1)
        runs: list[Any] = []

        def late(until: int) -> Callable[[UnitOfWork], int]:
            def body(tx: UnitOfWork) -> int:
                inside: Any = tx.table(table)
                number: int = inside.get(id="1")["n"]
                runs.append(number)
                if len(runs) < until:
                    table.update(id="1", add={"n": 1})
                inside.put({"id": "1", "n": number + 100})
                return number

            return body

        assert database.run_transaction(late(3)) == 3
        assert (runs, table.get(id="1")["n"]) == ([1, 2, 3], 103)
        runs.clear()
        with pytest.raises(Conflict, match="each of 2 attempts"):
            database.run_transaction(late(10), attempts=2)
        assert (len(runs), table.get(id="1")["n"]) == (2, 105)

    @rule("TXN-19", "CND-7")
    @requires(*NEEDED)
    def test_other_errors_are_not_run_again(
        self, database: Database, table: BoundTable, open_database: OpenDatabase
    ) -> None:
        """Neither what the function raises nor an outcome that is unknown."""
        again, backend = same_store(database, open_database)
        runs: list[Any] = []

        def fails(tx: UnitOfWork) -> None:
            runs.append(tx.table(again.table(table.schema)).put({"id": "1"}))
            if len(runs) == 1:
                raise ConditionFailed("the function's own")

        with pytest.raises(ConditionFailed):
            again.run_transaction(fails)
        assert len(runs) == 1
        backend.plan.append(Fault(OutcomeUnknown("lost"), applied=True))
        with pytest.raises(OutcomeUnknown):
            again.run_transaction(fails)
        assert len(runs) == 2

    @rule("TXN-19", "TXN-16")
    @requires(*NEEDED)
    def test_reads_that_do_not_fit_together_are_read_again(self, database: Database, table: BoundTable) -> None:
        """An error over them is the caller's only if nobody wrote between the reads."""
        filled(table, 1, 1)
        runs: list[Any] = []

        def strict(tx: UnitOfWork) -> int:
            inside: Any = tx.table(table)
            first: int = inside.get(id="1")["n"]
            if not runs:
                filled(table, 2, 2)
            second = inside.get(id="2")["n"]
            runs.append((first, second))
            if first != second or len(runs) > 2:
                raise ArithmeticError("the sums differ")
            return first

        assert database.run_transaction(strict) == 2
        assert runs == [(1, 2), (2, 2)]
        with pytest.raises(ArithmeticError):
            database.run_transaction(strict)
        assert len(runs) == 3

    @rule("TXN-16")
    @requires(*NEEDED)
    def test_validation_before_the_end(self, database: Database, table: BoundTable) -> None:
        """On request, any number of times."""
        filled(table, 1)
        with pytest.raises(Conflict), database.transaction() as tx:
            tx.validate()
            tx.table(table).get(id="1")
            tx.table(table).put({"id": "2"})
            tx.validate()
            tx.validate()
            filled(table, 2)
            with pytest.raises(Conflict):
                tx.validate()
        assert_same_items(filled_items(2), stored_items(database, table))

    @rule("TXN-19", "TXN-8")
    @requires(*NEEDED, Capability.IDEMPOTENCY_TOKEN)
    def test_a_token_is_known_again_whatever_was_there(self, database: Database, table: BoundTable) -> None:
        """Items that were read along the way, and whether a write found something, are not what was asked for."""
        token = own_token(table, 2)
        for _ in range(2):
            with database.transaction(token=token) as tx:
                inside = tx.table(table)
                if inside.find(id="1") is None:
                    inside.find(id="2")
                inside.update(id="1", add={"n": 1}, upsert=True)
                inside.update(id="1", set={"more": True})
        assert_same_items([{"id": "1", "n": 1, "more": True}], stored_items(database, table))

    @rule("TXN-19", "TXN-8")
    @requires(*NEEDED, Capability.IDEMPOTENCY_TOKEN)
    def test_a_token_makes_a_repetition_harmless(self, database: Database, table: BoundTable) -> None:
        """The same calls under the same token are applied once, though they read something else by then."""
        filled(table, 1)
        token = own_token(table, 1)
        for _ in range(2):
            with database.transaction(token=token) as tx:
                tx.table(table).update(id="1", add={"n": 1})
        assert_same_items(filled_items(2), stored_items(database, table))
