"""``journal.db``: where each unit stands, what was counted, digests, dead letters, findings and events.

Only the coordinator writes, and everything about one slice goes into one transaction: so each slice counts once,
however often it ran. Other processes read.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from attrs import field, frozen

from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import MigrationError, WorkDirectoryDamaged
from isthmus_migration.journal.schema import STATEMENTS, VERSION
from isthmus_migration.journal.states import State
from isthmus_migration.tasks import Counts, DeadLetter, SliceResult, Unit

_COUNTS: Final = ("read", "written", "unchanged", "skipped", "dead", "size", "retried", "throttled")
_COUNTED: Final = ", ".join(f"{name} = {name} + ?" for name in _COUNTS)
_SUMS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in _COUNTS)
_UNIT_COLUMNS: Final = "id, source_table, spec, cursor, sequence, finished, unsettled, strikes"
_CLAIM_BYTES: Final = 16
_CONSOLIDATED_AT: Final = 64
"""So many packed digests of one table and side are replaced by their sum."""


class JournalUnwritable(MigrationError):
    """The journal can't be written; nothing that it does not hold counts as done."""

    code = "journal_unwritable"


@frozen
class UnitState:
    """Where a unit stands.

    :param unsettled: numbers of slices that were handed out and never journaled, and may have written what comes next
    :param strikes: how many workers died in a row while they worked on it
    """

    unit: Unit
    cursor: str | None
    sequence: int
    finished: bool
    unsettled: tuple[int, ...] = field(default=())
    strikes: int = 0


class Journal:
    """An open journal; a context manager.

    :param writable: whether this process is the coordinator
    """

    listener: Callable[[str, dict[str, Any]], None] | None
    """Told of states and events once they are written."""
    sift: Callable[[SliceResult], SliceResult]
    """Takes out of a slice's result what is kept elsewhere, before the rest is journaled."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self.listener = None
        self.sift = _unsifted
        mode = "rw" if writable else "ro"
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA busy_timeout = 5000")
            if writable:
                self._connection.execute("PRAGMA synchronous = FULL")
            self._check_version()
        except sqlite3.Error as error:
            raise WorkDirectoryDamaged(
                f"{path} is no journal of a migration, or is damaged: name a work directory, or restore it"
            ) from error

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, str], units: Iterable[tuple[str, Unit]]) -> None:
        """Make the journal of a new migration, whole or not at all."""
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            for statement in STATEMENTS:
                connection.execute(statement)
            rows = {"version": str(VERSION), "number": "0", "state": State.PLANNED.value, **meta}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())
            _insert_units(connection, units)
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _check_version(self) -> None:
        version = self.meta("version")
        if version != str(VERSION):
            raise WorkDirectoryDamaged(
                f"{self.path} has version {version}, this is {VERSION}: finish it with the release that began it"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing.

        :raises JournalUnwritable: the disk is full, or the file can't be written
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise JournalUnwritable(
                f"{self.path} can't be written ({error}): make room or mend the disk, then resume"
            ) from error

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one after the other."""
        yield from self._connection.execute(statement, values)

    # ---- meta, states, events ----

    def meta(self, name: str) -> str | None:
        """A named text, or ``None``."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_meta(self, **texts: str) -> None:
        """Write named texts."""
        with self.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", texts.items())

    @property
    def state(self) -> State:
        """Where the migration stands."""
        return State(self.meta("state") or State.PLANNED)

    def enter(self, state: State, **data: Any) -> None:
        """Go to a state, with an event that tells so."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (state.value,))
            _insert_event(connection, "info", "state", {"state": state.value, **data})
        self._tell("state", {"state": state.value, **data})

    def event(self, level: str, code: str, **data: Any) -> None:
        """Note that something happened."""
        with self.transaction() as connection:
            _insert_event(connection, level, code, data)
        self._tell(code, data)

    def _tell(self, code: str, data: dict[str, Any]) -> None:
        if self.listener is not None:
            self.listener(code, data)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """Events in order, those after an id."""
        rows = self.rows("SELECT id, time, level, code, data FROM event WHERE id > ? ORDER BY id", (after,))
        return [{"id": number, "time": when, "level": level, "code": code, **json.loads(data)}
                for number, when, level, code, data in rows]  # fmt: skip

    # ---- units and slices ----

    def add_units(self, phase: str, units: Iterable[Unit]) -> None:
        """Add the units of a phase, unless it has some."""
        with self.transaction() as connection:
            if not connection.execute("SELECT 1 FROM unit WHERE phase = ? LIMIT 1", (phase,)).fetchall():
                _insert_units(connection, ((phase, unit) for unit in units))

    def forget_phase(self, phase: str) -> None:
        """Remove the units and digests of a phase, so that it can be done anew."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM unit WHERE phase = ?", (phase,))
            connection.execute("DELETE FROM digest WHERE phase = ?", (phase,))

    def units(self, phase: str) -> list[UnitState]:
        """All units of a phase, in order."""
        rows = self.rows(f"SELECT {_UNIT_COLUMNS} FROM unit WHERE phase = ? ORDER BY position", (phase,))  # noqa: S608  # columns of ours
        return [_unit_state(row) for row in rows]

    def hand_out(self, phase: str, unit: str, items: int) -> tuple[int, tuple[int, ...]]:
        """Take the number of a new slice of at most so many items; with it, those of earlier ones never journaled."""
        with self.transaction() as connection:
            number = int(self.meta("number") or 0) + 1
            connection.execute("UPDATE meta SET value = ? WHERE name = 'number'", (str(number),))
            ((text,),) = connection.execute("SELECT unsettled FROM unit WHERE phase = ? AND id = ?", (phase, unit))
            before = json.loads(text)
            connection.execute(
                "UPDATE unit SET unsettled = ? WHERE phase = ? AND id = ?",
                (json.dumps([*before, [number, items]]), phase, unit),
            )
        return number, tuple(earlier for earlier, _items in before)

    def strike(self, phase: str, unit: str, strikes: int, error: str | None) -> None:
        """Note how often a unit's workers died, or why its slice failed."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE unit SET strikes = ?, last_error = ? WHERE phase = ? AND id = ?", (strikes, error, phase, unit)
            )

    def settle(self, result: SliceResult) -> None:
        """Journal a slice: cursor, counters, digests, claims, dead letters and findings at once.

        :raises JournalUnwritable: nothing of it was written
        """
        result = self.sift(result)
        task, now = result.task, time.time()
        with self.transaction() as connection:
            self._advance(connection, result, now)
            for side, packed in result.digests.items():
                self.add_digest(connection, task.phase, task.unit.table, side, packed)
            for letter in result.dead:
                _insert_dead(connection, letter, now)
            if task.granted:
                self.settle_claims(connection, task.unit.id, result.claims)
            else:
                # An item that was given up: what an earlier run of the slice claimed is not written.
                connection.execute("DELETE FROM claim WHERE unit = ?", (task.unit.id,))
            for finding in result.found:
                _insert_finding(connection, task.unit.table, finding, now)

    def settle_claims(self, connection: sqlite3.Connection, unit: str, given_back: bytes) -> None:
        """Make the open claims of a unit final, within a transaction, but for those that it gives back."""
        connection.executemany(
            "DELETE FROM claim WHERE target_key = ? AND unit = ?", ((claim, unit) for claim in split_claims(given_back))
        )
        connection.execute("UPDATE claim SET unit = NULL WHERE unit = ?", (unit,))

    def claim(self, unit: str, claims: bytes) -> frozenset[bytes]:
        """Claim keys of the target for the slice that a unit has in flight; those that others have claimed before.

        What an earlier run of the slice claimed is given back first: it may have been a longer one.
        """
        wanted = split_claims(claims)
        with self.transaction() as connection:
            connection.execute("DELETE FROM claim WHERE unit = ?", (unit,))
            refused = frozenset(
                claim for claim in wanted
                if connection.execute("SELECT 1 FROM claim WHERE target_key = ?", (claim,)).fetchall()
            )  # fmt: skip
            rows = ((claim, unit) for claim in wanted if claim not in refused)
            connection.executemany("INSERT INTO claim VALUES (?, ?)", rows)
        return refused

    def find(self, table: str, findings: Iterable[Mapping[str, Any]], **texts: str) -> None:
        """Journal what was found outside of slices, and named texts with it."""
        with self.transaction() as connection:
            for finding in findings:
                _insert_finding(connection, table, finding, time.time())
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", texts.items())

    def _advance(self, connection: sqlite3.Connection, result: SliceResult, now: float) -> None:
        task, place = result.task, (result.task.phase, result.task.unit.id)
        ((handed_out,),) = connection.execute("SELECT unsettled FROM unit WHERE phase = ? AND id = ?", place)
        unsettled = json.dumps(_still_unsettled(json.loads(handed_out), task.number, result.counts.read))
        changed = connection.execute(
            f"UPDATE unit SET cursor = ?, sequence = ?, finished = ?, unsettled = ?, strikes = 0, last_error = NULL, "  # noqa: S608  # columns of ours
            f"updated = ?, {_COUNTED} WHERE phase = ? AND id = ? AND sequence = ? AND NOT finished",
            (result.cursor, task.sequence + 1, result.cursor is None, unsettled, now, *result.counts.values(), *place,
             task.sequence),
        ).rowcount  # fmt: skip
        if changed != 1:
            raise MigrationError(f"slice {task.sequence} of unit {task.unit.id} was journaled before: report this")

    def add_digest(self, connection: sqlite3.Connection, phase: str, table: str, side: str, packed: bytes) -> None:
        """Add to the digest of one side of a table, within a transaction."""
        place = (phase, table, side)
        connection.execute(
            "INSERT INTO digest (phase, source_table, side, packed) VALUES (?, ?, ?, ?)", (*place, packed)
        )
        where = "WHERE phase = ? AND source_table = ? AND side = ?"
        ((count,),) = connection.execute(f"SELECT count(*) FROM digest {where}", place)  # noqa: S608  # a text of ours
        if count >= _CONSOLIDATED_AT:
            total = self.digest(*place)
            connection.execute(f"DELETE FROM digest {where}", place)  # noqa: S608  # as above
            connection.execute(
                "INSERT INTO digest (phase, source_table, side, packed) VALUES (?, ?, ?, ?)", (*place, total.pack())
            )

    def digest(self, phase: str, table: str, side: str) -> BucketDigest:
        """The digest of one side of a table, as far as it was journaled."""
        rows = self._connection.execute(
            "SELECT packed FROM digest WHERE phase = ? AND source_table = ? AND side = ?", (phase, table, side)
        )
        return BucketDigest.merged(BucketDigest.unpack(packed) for (packed,) in rows)

    # ---- counts ----

    def counts(self, phase: str, table: str | None = None) -> Counts:
        """What a phase did so far, in one table or in all."""
        rows = self.rows(
            f"SELECT {_SUMS} FROM unit WHERE phase = ? AND (? IS NULL OR source_table = ?)", (phase, table, table)  # noqa: S608  # columns of ours
        )  # fmt: skip
        return Counts(*rows[0])

    def open_dead(self) -> int:
        """How many dead letters wait for a decision."""
        return int(self.rows("SELECT count(*) FROM dead WHERE status = 'open'")[0][0])


def _unsifted(result: SliceResult) -> SliceResult:
    return result


def split_claims(claims: bytes) -> list[bytes]:
    """The single claims of a slice."""
    return [claims[start : start + _CLAIM_BYTES] for start in range(0, len(claims), _CLAIM_BYTES)]


def _insert_units(connection: sqlite3.Connection, units: Iterable[tuple[str, Unit]]) -> None:
    connection.executemany(
        "INSERT INTO unit (phase, id, position, source_table, spec) VALUES (?, ?, ?, ?, ?)",
        ((phase, unit.id, position, unit.table, unit.spec) for position, (phase, unit) in enumerate(units)),
    )


def _insert_event(connection: sqlite3.Connection, level: str, code: str, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False, default=str)
    connection.execute(
        "INSERT INTO event (time, level, code, data) VALUES (?, ?, ?, ?)", (time.time(), level, code, text)
    )


def _insert_dead(connection: sqlite3.Connection, letter: DeadLetter, now: float) -> None:
    # Two items may have one key, or a key that can't be read: each keeps its own letter and its own original.
    connection.execute(
        "INSERT INTO dead (source_table, item_key, phase, code, reason, form, original, identity, found, updated) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET code = excluded.code, "
        "reason = excluded.reason, form = excluded.form, attempts = attempts + 1, status = 'open', "
        "updated = excluded.updated",
        (letter.table, letter.key, letter.phase, letter.code, letter.reason, letter.form, letter.original,
         sha256(letter.original).digest()[:16], now, now),
    )  # fmt: skip


def _still_unsettled(handed_out: list[list[int]], number: int, read: int) -> list[list[int]]:
    """The slices never journaled that reach beyond the one that is journaled now: a later one may be shorter."""
    return [[earlier, items - read] for earlier, items in handed_out if earlier != number and items > read]


def _insert_finding(connection: sqlite3.Connection, table: str, finding: Mapping[str, Any], now: float) -> None:
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


def _unit_state(row: Sequence[Any]) -> UnitState:
    name, table, spec, cursor, sequence, finished, unsettled, strikes = row
    numbers = tuple(number for number, _items in json.loads(unsettled))
    return UnitState(Unit(name, table, spec), cursor, sequence, bool(finished), numbers, strikes)
