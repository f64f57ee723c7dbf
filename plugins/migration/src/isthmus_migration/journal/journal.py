"""``journal.db``: where each unit stands, what was counted, digests, dead letters, findings and events.

Only the coordinator writes, and everything about one slice goes into one transaction: so each slice counts once,
however often it ran. Other processes read.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import MigrationError, WorkDirectoryDamaged
from isthmus_migration.journal import claims, keys, sums, units
from isthmus_migration.journal.findings import insert_dead, insert_event, insert_finding
from isthmus_migration.journal.schema import STATEMENTS, VERSION
from isthmus_migration.journal.states import State
from isthmus_migration.journal.units import UnitState
from isthmus_migration.tasks import Counts, SliceResult, Unit

_BUSY_MILLISECONDS: Final = 60_000
"""For so long somebody may have the file to himself: who closes it as the last one, or opens it after a crash."""
_SUMS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in units.COUNTS)


class JournalUnwritable(MigrationError):
    """The journal can't be written; nothing that it does not hold counts as done."""

    code = "journal_unwritable"


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
        with ExitStack() as on_error:
            try:
                self._connection = sqlite3.connect(
                    f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
                )
                on_error.callback(self._connection.close)
                self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
                if writable:
                    self._connection.execute("PRAGMA synchronous = FULL")
                self._check_version()
            except sqlite3.Error as error:
                raise WorkDirectoryDamaged(
                    f"{path} is no journal of a migration, or is damaged: name a work directory, or restore it"
                ) from error
            on_error.pop_all()

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, str], begun: Iterable[tuple[str, Unit]]) -> None:
        """Make the journal of a new migration, whole or not at all."""
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            for statement in STATEMENTS:
                connection.execute(statement)
            rows = {"version": str(VERSION), "number": "0", "state": State.PLANNED.value, keys.NOTED: "yes", **meta}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())
            units.insert_units(connection, begun)
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
        """The rows of a query.

        :raises WorkDirectoryDamaged: they can't be read
        """
        with self._reading():
            return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one after the other.

        :raises WorkDirectoryDamaged: they can't be read
        """
        # A file is closed only when nobody reads from it any more.
        with self._reading(), closing(self._connection.execute(statement, values)) as found:
            yield from found

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise WorkDirectoryDamaged(
                f"{self.path} can't be read ({error}): restore it from a copy of the work directory"
            ) from error

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
            insert_event(connection, "info", "state", {"state": state.value, **data})
        self._tell("state", {"state": state.value, **data})

    def event(self, level: str, code: str, **data: Any) -> None:
        """Note that something happened."""
        with self.transaction() as connection:
            insert_event(connection, level, code, data)
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

    def add_units(self, phase: str, added: Iterable[Unit]) -> None:
        """Add the units of a phase, unless it has some."""
        with self.transaction() as connection:
            if not connection.execute("SELECT 1 FROM unit WHERE phase = ? LIMIT 1", (phase,)).fetchall():
                units.insert_units(connection, ((phase, unit) for unit in added))

    def forget_phase(self, phase: str) -> None:
        """Remove the units and digests of a phase, so that it can be done anew."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM unit WHERE phase = ?", (phase,))
            connection.execute("DELETE FROM digest WHERE phase = ?", (phase,))

    def units(self, phase: str) -> list[UnitState]:
        """All units of a phase, in order."""
        rows = self.rows(f"SELECT {units.COLUMNS} FROM unit WHERE phase = ? ORDER BY position", (phase,))  # noqa: S608  # columns of ours
        return [UnitState.of(row) for row in rows]

    def hand_out(self, phase: str, unit: str, items: int) -> tuple[int, tuple[int, ...]]:
        """Take the number of a new slice of at most so many items; with it, those of earlier ones never journaled."""
        with self.transaction() as connection:
            return units.hand_out(connection, phase, unit, items)

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
            unsettled = units.advance(connection, result, now)
            for side, packed in result.digests.items():
                self.add_digest(connection, task.phase, task.unit.table, side, packed)
            for letter in result.dead:
                insert_dead(connection, letter, now)
            self.settle_claims(connection, task.unit.id, result.claims, granted=bool(task.granted), unsettled=unsettled)
            if result.moved:
                keys.note_moved(connection, task.unit.table)
            for finding in result.found:
                insert_finding(connection, task.unit.table, finding, now)

    def settle_claims(
        self, connection: sqlite3.Connection, unit: str, given_back: bytes, *, granted: bool = True,
        unsettled: bool = False,
    ) -> None:  # fmt: skip
        """Make the claims of a slice final, within a transaction, but for those that it gives back.

        :param granted: whether the slice had claims
        :param unsettled: whether earlier slices of the unit may have written items that come next
        """
        if granted:
            claims.make_final(connection, unit, given_back)
        if not unsettled:
            claims.forget_open(connection, unit)

    def claim(self, unit: str, wanted: bytes) -> frozenset[bytes]:
        """Claim keys of the target for the slice that a unit has in flight; those that others have claimed before."""
        with self.transaction() as connection:
            return claims.claim(connection, unit, wanted)

    def find(self, table: str, findings: Iterable[Mapping[str, Any]], **texts: str) -> None:
        """Journal what was found outside of slices, and named texts with it."""
        with self.transaction() as connection:
            for finding in findings:
                insert_finding(connection, table, finding, time.time())
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", texts.items())

    def add_digest(self, connection: sqlite3.Connection, phase: str, table: str, side: str, packed: bytes) -> None:
        """Add to the digest of one side of a table, within a transaction."""
        sums.add_digest(connection, phase, table, side, packed)

    def digest(self, phase: str, table: str, side: str) -> BucketDigest:
        """The digest of one side of a table, as far as it was journaled.

        :raises WorkDirectoryDamaged: it can't be read
        """
        with self._reading():
            return sums.digest_of(self._connection, phase, table, side)

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
