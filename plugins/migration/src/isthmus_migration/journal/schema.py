"""The tables of ``journal.db``."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

STATEMENTS: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE unit (
        phase TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, source_table TEXT NOT NULL,
        spec TEXT NOT NULL, cursor TEXT, sequence INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0,
        unsettled TEXT NOT NULL DEFAULT '[]', strikes INTEGER NOT NULL DEFAULT 0,
        read INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0,
        skipped INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,
        retried INTEGER NOT NULL DEFAULT 0, throttled INTEGER NOT NULL DEFAULT 0,
        updated REAL NOT NULL DEFAULT 0, last_error TEXT, PRIMARY KEY (phase, id)) WITHOUT ROWID""",
    """CREATE TABLE digest (
        id INTEGER PRIMARY KEY, phase TEXT NOT NULL, source_table TEXT NOT NULL, side TEXT NOT NULL,
        packed BLOB NOT NULL)""",
    "CREATE INDEX digest_of ON digest (phase, source_table, side)",
    """CREATE TABLE dead (
        id INTEGER PRIMARY KEY, source_table TEXT NOT NULL, item_key TEXT NOT NULL, phase TEXT NOT NULL,
        code TEXT NOT NULL, reason TEXT NOT NULL, form TEXT NOT NULL, original BLOB NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 1, status TEXT NOT NULL DEFAULT 'open', found REAL NOT NULL,
        updated REAL NOT NULL, identity BLOB NOT NULL, note TEXT NOT NULL DEFAULT '',
        UNIQUE (source_table, item_key, phase, identity))""",
    """CREATE TABLE mismatch (
        source_table TEXT NOT NULL, item_key TEXT NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'open', found REAL NOT NULL, updated REAL NOT NULL,
        PRIMARY KEY (source_table, item_key)) WITHOUT ROWID""",
    """CREATE TABLE conflict (
        source_table TEXT NOT NULL, item_key TEXT NOT NULL, detail TEXT NOT NULL, found REAL NOT NULL,
        PRIMARY KEY (source_table, item_key)) WITHOUT ROWID""",
    """CREATE TABLE claim (
        target_key BLOB PRIMARY KEY, unit TEXT, at_work INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    "CREATE INDEX claim_open ON claim (unit) WHERE unit IS NOT NULL",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, level TEXT NOT NULL, code TEXT NOT NULL, data TEXT NOT NULL)""",
)  # fmt: skip
