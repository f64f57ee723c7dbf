"""Requests of each operation, as the documentation states them: reads and writes of single items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.tests.fallback.clients import Bank, Killed, at, fallback_of, kill, watch
from isthmus import BoundTable, F
from isthmus.errors import TransactionFailed

MANY = 5
NAMES = [f"{n}" for n in range(MANY)]


@pytest.fixture
def bank() -> Bank:
    """Five accounts, and a table of records."""
    return Bank()


@pytest.fixture
def table(bank: Bank) -> BoundTable:
    """The accounts of a client for whom no lease runs out."""
    made = bank.accounts(**dict.fromkeys(NAMES, 100))
    add(made, "warm", "up")  # makes the table of records
    return bank.table(bank.patient())


def add(table: BoundTable, *names: str, **options: Any) -> Any:
    """Put one more on each account, in one transaction."""
    return table.database.transact_write(
        [table.actions.update(id=name, add={"n": 1}, upsert=True) for name in names], **options
    )


def cost(bank: Bank, act: Callable[[], Any]) -> tuple[int, int]:
    """Reads and writes of single items that a call makes."""
    bank.requests.clear()
    act()
    return bank.requests["get"], bank.requests["cas"]


def test_transaction(bank: Bank, table: BoundTable) -> None:
    """N reads, and 2N + 3 writes: record, locks, commit, applies, record."""
    add(table, *NAMES)
    assert cost(bank, lambda: add(table, *NAMES)) == (MANY, 2 * MANY + 3)


def test_transaction_with_checks(bank: Bank, table: BoundTable) -> None:
    """Checks cost what writes cost."""
    add(table, "0", "1")
    checks = [table.actions.check(id=name, when=F.n > 0) for name in NAMES[1:]]
    call = lambda: table.database.transact_write([table.actions.delete(id="0"), *checks])  # noqa: E731
    assert cost(bank, call) == (MANY, 2 * MANY + 3)


def test_token(bank: Bank, table: BoundTable) -> None:
    """One read more; a replay is one read."""
    add(table, "0", "1")
    assert cost(bank, lambda: add(table, *NAMES, token="t")) == (MANY + 1, 2 * MANY + 3)
    assert cost(bank, lambda: add(table, *NAMES, token="t")) == (1, 0)


def test_refused(bank: Bank, table: BoundTable) -> None:
    """N reads and nothing else; with a token, one look more before and after."""
    do = table.actions
    wrong = [do.put({"id": name}, when=F.n == -1) for name in NAMES]

    def call(**options: Any) -> None:
        with pytest.raises(TransactionFailed):
            table.database.transact_write(wrong, **options)

    assert cost(bank, call) == (MANY, 0)
    assert cost(bank, lambda: call(token="t")) == (MANY + 2, 0)


def test_one_action(bank: Bank, table: BoundTable) -> None:
    """One write, after the read that judges it."""
    assert cost(bank, lambda: add(table, "0")) == (1, 1)


def test_only_checks(bank: Bank, table: BoundTable) -> None:
    """2N reads, no write."""
    checks = [table.actions.check(id=name, when=F.n > 0) for name in NAMES]
    assert cost(bank, lambda: table.database.transact_write(checks)) == (2 * MANY, 0)


def test_single_writes(bank: Bank, table: BoundTable) -> None:
    """One read and one write each."""
    assert cost(bank, lambda: table.put({"id": "0", "n": 1})) == (1, 1)
    assert cost(bank, lambda: table.update(id="0", set={"n": 2}, when=F.n == 1)) == (1, 1)
    assert cost(bank, lambda: table.delete(id="0")) == (1, 1)
    assert cost(bank, lambda: table.create({"id": "0"})) == (1, 1)


def test_transact_get(bank: Bank, table: BoundTable) -> None:
    """2N reads; with A absences, two or more, 2N - A + 1 reads and 2A + 2 writes."""
    do = table.actions

    def read(*names: str) -> Any:
        return table.database.transact_get([do.get(id=name) for name in names])

    assert cost(bank, lambda: read(*NAMES)) == (2 * MANY, 0)
    assert cost(bank, lambda: read(*NAMES[1:], "none")) == (2 * MANY, 0)
    assert cost(bank, lambda: read(*NAMES[2:], "none", "neither")) == (2 * MANY - 2 + 1, 2 * 2 + 2)
    assert cost(bank, lambda: read("0")) == (1, 0)


@pytest.mark.parametrize(
    ("step", "expected"), [("after_lock_1", (2, 0)), ("after_commit", (2, 0))], ids=["pending", "committed"]
)
def test_reads_of_locked_items(bank: Bank, table: BoundTable, step: str, expected: tuple[int, int]) -> None:
    """One more, of the record."""
    dying(bank, step)
    assert cost(bank, lambda: table.get(id="0")) == expected


def test_reads_of_orphans(bank: Bank, table: BoundTable) -> None:
    """Two more, and a write that takes the lock away."""
    dying(bank, "after_lock_1")
    with bank.store.memory._session as session:
        records = session.stores["isthmus_transactions"]
        for key in list(records.items):
            records.replace(key, None)
    assert cost(bank, lambda: table.get(id="0")) == (3, 1)
    assert cost(bank, lambda: table.get(id="0")) == (1, 0)


def test_recovery(bank: Bank, table: BoundTable) -> None:
    """Of a committed transaction N + 1 reads and N + 1 writes."""
    dying(bank, "after_commit")
    assert table.database.recover().left == 1
    fallback_of(table.database).shared.leases.monotonic = lambda: 100.0
    assert cost(bank, table.database.recover) == (2 + 1, 2 + 1)
    assert bank.locked() == []


def dying(bank: Bank, step: str) -> None:
    """Somebody dies in a transaction over two accounts."""
    table = bank.table(bank.client())
    watch(table.database, at(step, kill))
    with pytest.raises(Killed):
        add(table, "0", "1")
