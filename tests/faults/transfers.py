"""Transfers between accounts by transactions of the core, and clients that stop in the middle of one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from attrs import define, field, frozen

import isthmus
from isthmus import BoundTable, Database, F
from isthmus.errors import Conflict, OutcomeUnknown

LEASE: Final = 0.3
"""Seconds that others wait for a client that does not go on."""

SUM: Final = 5
START: Final = 100

Way = Literal["bulk", "ordered"]
Outcome = Literal["applied", "refused", "unknown"]


@frozen
class Transfer:
    """One transfer, with accounts of its own.

    :param size: how many items it names: two accounts, and with three a receipt, which it creates
    :param way: whether its locks go out together
    """

    name: str
    size: int
    way: Way
    token: str | None = None

    @property
    def accounts(self) -> tuple[str, str]:
        """The accounts that it takes from and gives to."""
        return f"{self.name}-from", f"{self.name}-to"

    @property
    def receipt(self) -> str:
        """The item that it creates."""
        return f"{self.name}-receipt"


def connect(url: str, way: Way = "bulk") -> Database:
    """A client with a short lease that remembers ended transactions for a moment only."""
    attempts = 2 if way == "bulk" else 0
    options = {"lease_ms": int(LEASE * 1000), "retention_s": 1, "token_retention_s": 1, "bulk_attempts": attempts}
    return isthmus.connect(url, fallback=options)


def accounts(database: Database, name: str) -> BoundTable:
    """The table of accounts."""
    return database.table(name, partition_key="id")


def prepare(table: BoundTable, transfer: Transfer) -> None:
    """Fill the accounts."""
    table.put_many([{"id": account, "sum": START} for account in transfer.accounts]).raise_for_failures()


def carry_out(table: BoundTable, transfer: Transfer) -> Outcome:
    """Transfer, and tell truthfully how that ended."""
    giver, taker = transfer.accounts
    actions: list[Any] = [
        table.actions.update(id=giver, add={"sum": -SUM}, when=F.sum >= SUM),
        table.actions.update(id=taker, add={"sum": SUM}),
    ]
    if transfer.size > len(actions):
        actions.append(table.actions.create({"id": transfer.receipt}))
    try:
        table.database.transact_write(actions, token=transfer.token)
    except Conflict:
        return "refused"
    except OutcomeUnknown:
        return "unknown"
    return "applied"


@define
class Steps:
    """Stops this process when it first comes to one step of the protocol, by a signal, and notes the steps.

    :param point: the name of the step, or ``None`` to go through
    """

    point: str | None = None
    signal: int = 0
    seen: list[str] = field(factory=list)

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if self.point == step and self.seen.count(step) == 1:
            os.kill(os.getpid(), self.signal)


def visit(table: BoundTable, account: str) -> None:
    """Write to an account as somebody who has no part in the transfer."""
    table.update(id=account, add={"visits": 1})


def watched(url: str, table: str, transfer: Transfer, steps: Callable[[str], None], *, visits: bool = False) -> Outcome:
    """A whole client: connect, transfer once, report.

    :param visits: whether it visits the first account instead
    """
    with connect(url, transfer.way) as database:
        bound = accounts(database, table)
        bound.get(id=transfer.accounts[0])
        shared: Any = database.backend
        # The transfer alone is of interest, so nobody looks for the remains of others meanwhile.
        shared.shared.swept_at = time.monotonic()
        shared.shared.at_step = steps
        if not visits:
            return carry_out(bound, transfer)
        visit(bound, transfer.accounts[0])
        return "applied"
