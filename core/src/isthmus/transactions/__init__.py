"""Transactions: several reads or writes as one request, and units of work that collect them.

What belongs to units of work is loaded when the first one begins.
"""

from __future__ import annotations

from isthmus.transactions.one_shot import Place, spread_reads, transact_get, transact_write

__all__ = ["Place", "spread_reads", "transact_get", "transact_write"]
