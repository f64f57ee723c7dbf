"""What a rollback was told, kept in the journal: said once, it holds until the end."""

from __future__ import annotations

import sqlite3
from typing import Final

from attrs import frozen

from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.rollback.again import forget_put_back

_PHASES: Final = ("rollback_check", "rollback_later", "rollback", "rollback_verify")
_FORCE: Final = "rollback_force"
_GUARDED: Final = "rollback_guarded"


@frozen
class Said:
    """What was said, now or to a run that was interrupted."""

    force: bool
    guarded: bool

    @classmethod
    def before(cls, journal: Journal) -> Said:
        """What the journal knows of."""
        return cls(journal.meta(_FORCE) == "yes", journal.meta(_GUARDED) == "yes")


def begin(journal: Journal, *, force: bool, guarded: bool) -> Said:
    """Enter the state, or stay in it, and keep what is said; killed at any time, the rollback goes on with it.

    :raises JournalUnwritable: nothing was kept
    """
    former = Said.before(journal)
    now = Said(force or former.force, guarded or former.guarded)
    begun = journal.state == State.ROLLING_BACK
    if now != former:
        with journal.transaction() as connection:
            if now.force and not former.force:
                _forget_decisions(connection)
            _keep(connection, now)
    if not begun or now != former:
        journal.enter(State.ROLLING_BACK, force=now.force, guarded=now.guarded)
    return now


def _keep(connection: sqlite3.Connection, said: Said) -> None:
    texts = {"state": State.ROLLING_BACK.value, _FORCE: _yes(said.force), _GUARDED: _yes(said.guarded)}
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", texts.items())


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _forget_decisions(connection: sqlite3.Connection) -> None:
    """Decide again, with force, what was decided without."""
    for phase in _PHASES:
        connection.execute("DELETE FROM unit WHERE phase = ?", (phase,))
        connection.execute("DELETE FROM digest WHERE phase = ?", (phase,))
    connection.execute("DELETE FROM conflict")
    forget_put_back(connection)
