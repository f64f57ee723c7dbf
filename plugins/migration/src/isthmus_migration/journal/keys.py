"""Whether items got other keys in the target than in the source: noted within transactions, table by table."""

from __future__ import annotations

import sqlite3
from typing import Final

NOTED: Final = "keys_noted"
"""Under this name a journal says that it notes this at all."""
MOVED: Final = "moved:"


def note_moved(connection: sqlite3.Connection, table: str) -> None:
    """Note that items of a table of the source got other keys."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, 'yes')", (MOVED + table,))
