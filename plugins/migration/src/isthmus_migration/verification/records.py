"""Where a verification stands, and what it found: kept in the journal."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from attrs import asdict, define, evolve, field, frozen

from isthmus.values import Item, loads
from isthmus_migration.journal.journal import Journal
from isthmus_migration.verification.results import Mismatch, MismatchKind, TableResult
from isthmus_migration.verification.settings import Settings

Step = Literal["verify", "recheck", "confirm", "done"]
_NAME = "verification"
REPAIR = "repair"
"""Under this name the journal says which kind of repair is at work."""
_SELECT = "SELECT source_table, item_key, kind, detail, status FROM mismatch"


@frozen
class Tally:
    """Keys of one table that were looked at and are no mismatches."""

    dead: int = 0
    expired: int = 0
    kept: int = 0
    others: int = 0
    sampled: int = 0

    def plus(self, **more: int) -> Tally:
        """A copy with further keys."""
        return Tally(**{name: count + more.get(name, 0) for name, count in asdict(self).items()})


@define
class Record:
    """A verification in the journal.

    :param both: tables of which the source is read too, not only the target
    :param after: the last key that was confirmed, by table
    :param results: by table, once the verification is done
    :param token: by which it knows the file with its candidates again
    """

    settings: Settings
    step: Step = "verify"
    both: tuple[str, ...] = ()
    after: dict[str, str] = field(factory=dict)
    tallies: dict[str, Tally] = field(factory=dict)
    results: dict[str, TableResult] = field(factory=dict)
    token: int = field(factory=lambda: 1 + secrets.randbelow((1 << 31) - 1))

    @classmethod
    def of(cls, journal: Journal) -> Record | None:
        """The last verification, if there was one."""
        text = journal.meta(_NAME)
        return None if text is None else cls._from_dict(json.loads(text))

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Record:
        return cls(
            Settings.from_dict(data["settings"]), data["step"], tuple(data["both"]), data["after"],
            {name: Tally(**tally) for name, tally in data["tallies"].items()},
            {name: TableResult(**result) for name, result in data["results"].items()}, data.get("token", 0),
        )  # fmt: skip

    def to_json(self) -> str:
        """The text in the journal."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def begin(self, journal: Journal) -> None:
        """Write it down as a new one: all at once, whatever the last one found is gone."""
        with journal.transaction() as connection:
            for phase in ("verify", "recheck", "repair"):
                connection.execute("DELETE FROM unit WHERE phase = ?", (phase,))
                connection.execute("DELETE FROM digest WHERE phase = ?", (phase,))
            connection.execute("DELETE FROM mismatch")
            connection.execute("DELETE FROM meta WHERE name = ?", (REPAIR,))
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NAME, self.to_json()))

    def save(self, journal: Journal) -> None:
        """Write it down."""
        journal.set_meta(**{_NAME: self.to_json()})

    def save_with(self, journal: Journal, table: str, findings: list[dict[str, Any]]) -> None:
        """Write it down together with mismatches that were confirmed."""
        journal.find(table, findings, **{_NAME: self.to_json()})

    def tally(self, table: str, **more: int) -> None:
        """Count keys."""
        self.tallies[table] = self.tallies.get(table, Tally()).plus(**more)


def mismatches(journal: Journal, *, status: str | None = None, most: int = -1) -> Iterator[Mismatch]:
    """The mismatches in the journal, in the order of tables and keys.

    :param status: only ``open`` ones, say
    :param most: no more than this many; all when negative
    """
    statement = f"{_SELECT} WHERE ? IS NULL OR status = ? ORDER BY source_table, item_key LIMIT ?"
    for table, key, kind, detail, state in journal.each(statement, (status, status, most)):
        told = json.loads(detail)
        flags = [bool(told.get(name)) for name in ("unreadable", "since_dead")]
        fields = tuple(told.get("fields", ()))
        yield Mismatch(table, cast("Item", loads(key)), cast("MismatchKind", kind), fields, state, *flags)


def open_kinds(journal: Journal, table: str) -> dict[str, int]:
    """How many open mismatches a table has, by kind."""
    rows = journal.rows(
        "SELECT kind, count(*) FROM mismatch WHERE source_table = ? AND status = 'open' GROUP BY kind", (table,)
    )
    return {str(kind): int(count) for kind, count in rows}


def with_open(result: TableResult, journal: Journal) -> TableResult:
    """A result with the mismatches that are open now."""
    kinds = open_kinds(journal, result.table)
    return evolve(
        result, missing=kinds.get("missing", 0), changed=kinds.get("changed", 0), extra=kinds.get("extra", 0)
    )  # fmt: skip
