"""Dead letters, differences, conflicts and events in the journal, within transactions."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from isthmus_migration.tasks import DeadLetter


def insert_event(connection: sqlite3.Connection, level: str, code: str, data: Mapping[str, Any]) -> None:
    """Note that something happened."""
    text = json.dumps(data, ensure_ascii=False, default=str)
    connection.execute(
        "INSERT INTO event (time, level, code, data) VALUES (?, ?, ?, ?)", (time.time(), level, code, text)
    )


def insert_dead(connection: sqlite3.Connection, letter: DeadLetter, now: float) -> None:
    """Keep a dead letter."""
    # Two items may have one key, or a key that can't be read: each keeps its own letter and its own original.
    connection.execute(
        "INSERT INTO dead (source_table, item_key, phase, code, reason, form, original, identity, found, updated) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET code = excluded.code, "
        "reason = excluded.reason, form = excluded.form, attempts = attempts + 1, status = 'open', "
        "updated = excluded.updated",
        (letter.table, letter.key, letter.phase, letter.code, letter.reason, letter.form, letter.original,
         identity_of(letter), now, now),
    )  # fmt: skip


def identity_of(letter: DeadLetter) -> bytes:
    """What tells letters of one key and phase apart."""
    return sha256(letter.original).digest()[:16]


def insert_finding(connection: sqlite3.Connection, table: str, finding: Mapping[str, Any], now: float) -> None:
    """Keep a difference, or a conflict of a rollback."""
    detail = json.dumps(finding.get("detail", {}), ensure_ascii=False)
    if finding["kind"] == "conflict":
        connection.execute(
            "INSERT OR REPLACE INTO conflict (source_table, item_key, detail, found) VALUES (?, ?, ?, ?)",
            (table, finding["key"], detail, now),
        )
        return
    connection.execute(
        "INSERT INTO mismatch (source_table, item_key, kind, detail, found, updated) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET kind = excluded.kind, detail = excluded.detail, status = 'open', "
        "updated = excluded.updated",
        (table, finding["key"], finding["kind"], detail, now, now),
    )
