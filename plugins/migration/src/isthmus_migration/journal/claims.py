"""Claims of the target's keys, within transactions: who was first where items of the source could have one key.

A claim is open until the slice that made it is journaled, then it is final. A slice may run again with fewer items than
before; what the longer run claimed and this one does not reach may be written already, so it stays open until no run of
the unit is left that may have written it.
"""

from __future__ import annotations

import sqlite3

from isthmus_migration.tasks import CLAIM_BYTES


def split_claims(claims: bytes) -> list[bytes]:
    """The single claims of a slice."""
    return [claims[start : start + CLAIM_BYTES] for start in range(0, len(claims), CLAIM_BYTES)]


def claim(connection: sqlite3.Connection, unit: str, claims: bytes) -> frozenset[bytes]:
    """Claim keys for the slice that a unit has in flight; those that are final, or open for other units."""
    wanted = split_claims(claims)
    connection.execute("UPDATE claim SET at_work = 0 WHERE unit = ?", (unit,))
    refused = frozenset(one for one in wanted if not _is_free(connection, unit, one))
    rows = ((one, unit) for one in wanted if one not in refused)
    connection.executemany("INSERT OR REPLACE INTO claim (target_key, unit, at_work) VALUES (?, ?, 1)", rows)
    return refused


def _is_free(connection: sqlite3.Connection, unit: str, one: bytes) -> bool:
    found = connection.execute("SELECT unit FROM claim WHERE target_key = ?", (one,)).fetchone()
    return found is None or found[0] == unit


def make_final(connection: sqlite3.Connection, unit: str, given_back: bytes) -> None:
    """Make the claims of a unit's slice in flight final, but for those that it gives back."""
    connection.executemany(
        "DELETE FROM claim WHERE target_key = ? AND unit = ?", ((one, unit) for one in split_claims(given_back))
    )
    connection.execute("UPDATE claim SET unit = NULL, at_work = 0 WHERE unit = ? AND at_work", (unit,))


def forget_open(connection: sqlite3.Connection, unit: str) -> None:
    """Give back all open claims of a unit."""
    connection.execute("DELETE FROM claim WHERE unit = ?", (unit,))
