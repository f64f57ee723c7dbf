"""Units in the journal, within transactions: where each stands, and which of its slices were never journaled."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import field, frozen

from isthmus_migration.errors import MigrationError
from isthmus_migration.tasks import SliceResult, Unit

COUNTS: Final = ("read", "written", "unchanged", "skipped", "dead", "size", "retried", "throttled")
COLUMNS: Final = "id, source_table, spec, cursor, sequence, finished, unsettled, strikes"
REPAIRED: Final = "repaired:"
"""With a table of the source after it, a name under which the journal says that repairs may have written items."""
_REPAIR: Final = "repair"
_COUNTED: Final = ", ".join(f"{name} = {name} + ?" for name in COUNTS)


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

    @classmethod
    def of(cls, row: Sequence[Any]) -> UnitState:
        """The state that a row of ``COLUMNS`` says."""
        name, table, spec, cursor, sequence, finished, unsettled, strikes = row
        numbers = tuple(number for number, _items in json.loads(unsettled))
        return cls(Unit(name, table, spec), cursor, sequence, bool(finished), numbers, strikes)


def insert_units(connection: sqlite3.Connection, units: Iterable[tuple[str, Unit]]) -> None:
    """Add units of phases."""
    connection.executemany(
        "INSERT INTO unit (phase, id, position, source_table, spec) VALUES (?, ?, ?, ?, ?)",
        ((phase, unit.id, position, unit.table, unit.spec) for position, (phase, unit) in enumerate(units)),
    )


def hand_out(connection: sqlite3.Connection, phase: str, unit: str, items: int) -> tuple[int, tuple[int, ...]]:
    """Take the number of a new slice of at most so many items; with it, those of earlier ones never journaled."""
    ((last,),) = connection.execute("SELECT value FROM meta WHERE name = 'number'")
    number = int(last) + 1
    connection.execute("UPDATE meta SET value = ? WHERE name = 'number'", (str(number),))
    before = _handed_out(connection, phase, unit)
    connection.execute(
        "UPDATE unit SET unsettled = ? WHERE phase = ? AND id = ?",
        (json.dumps([*before, [number, items]]), phase, unit),
    )
    if phase == _REPAIR:
        # The units of a repair are gone with the next verification, and what they wrote is not.
        connection.execute(
            "INSERT OR IGNORE INTO meta SELECT ? || source_table, 'yes' FROM unit WHERE phase = ? AND id = ?",
            (REPAIRED, phase, unit),
        )
    return number, tuple(earlier for earlier, _items in before)


def _handed_out(connection: sqlite3.Connection, phase: str, unit: str) -> list[list[int]]:
    ((text,),) = connection.execute("SELECT unsettled FROM unit WHERE phase = ? AND id = ?", (phase, unit))
    found: list[list[int]] = json.loads(text)
    return found


def advance(connection: sqlite3.Connection, result: SliceResult, now: float) -> bool:
    """Note that a slice is done; whether earlier ones may have written what comes next.

    :raises MigrationError: it was journaled before
    """
    task, place = result.task, (result.task.phase, result.task.unit.id)
    unsettled = _still_unsettled(_handed_out(connection, *place), task.number, result.counts.read)
    changed = connection.execute(
        f"UPDATE unit SET cursor = ?, sequence = ?, finished = ?, unsettled = ?, strikes = 0, last_error = NULL, "  # noqa: S608  # columns of ours
        f"updated = ?, {_COUNTED} WHERE phase = ? AND id = ? AND sequence = ? AND NOT finished",
        (result.cursor, task.sequence + 1, result.cursor is None, json.dumps(unsettled), now, *result.counts.values(),
         *place, task.sequence),
    ).rowcount  # fmt: skip
    if changed != 1:
        raise MigrationError(f"slice {task.sequence} of unit {task.unit.id} was journaled before: report this")
    return bool(unsettled) and result.cursor is not None


def _still_unsettled(handed_out: list[list[int]], number: int, read: int) -> list[list[int]]:
    """The slices never journaled that reach beyond the one that is journaled now: a later one may be shorter."""
    return [[earlier, items - read] for earlier, items in handed_out if earlier != number and items > read]
