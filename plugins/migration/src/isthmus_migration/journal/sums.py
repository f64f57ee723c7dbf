"""Packed digests of tables in the journal, within transactions: one for each slice, summed up now and then."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Final

from isthmus_migration.digests import BucketDigest

_CONSOLIDATED_AT: Final = 64
"""So many packed digests of one table and side are replaced by their sum."""
_WHERE: Final = "WHERE phase = ? AND source_table = ? AND side = ?"


def add_digest(connection: sqlite3.Connection, phase: str, table: str, side: str, packed: bytes) -> None:
    """Add to the digest of one side of a table."""
    place = (phase, table, side)
    _insert(connection, place, packed)
    ((count,),) = connection.execute(f"SELECT count(*) FROM digest {_WHERE}", place)  # noqa: S608  # a text of ours
    if count >= _CONSOLIDATED_AT:
        total = digest_of(connection, *place)
        connection.execute(f"DELETE FROM digest {_WHERE}", place)  # noqa: S608  # as above
        _insert(connection, place, total.pack())


def _insert(connection: sqlite3.Connection, place: tuple[str, str, str], packed: bytes) -> None:
    connection.execute("INSERT INTO digest (phase, source_table, side, packed) VALUES (?, ?, ?, ?)", (*place, packed))


def digest_of(connection: sqlite3.Connection, phase: str, table: str, side: str) -> BucketDigest:
    """The digest of one side of a table, as far as it was journaled."""
    statement = f"SELECT packed FROM digest {_WHERE}"  # noqa: S608  # as above
    with closing(connection.execute(statement, (phase, table, side))) as rows:
        return BucketDigest.merged(BucketDigest.unpack(packed) for (packed,) in rows)
