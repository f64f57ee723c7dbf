"""Replays in the journal: what became of a letter is written at once, or nothing of it."""

from __future__ import annotations

import time
from typing import Final

from isthmus_migration.dead.letters import Letter
from isthmus_migration.dead.replayed import Replayed
from isthmus_migration.dead.replaying import PHASE, Attempt, unit_of
from isthmus_migration.journal.findings import identity_of
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.keys import note_moved
from isthmus_migration.slices.claims import claims_of
from isthmus_migration.tasks import SliceTask

_COPY: Final = "copy"


def hand_out(journal: Journal, letter: Letter) -> SliceTask:
    """The task of trying a letter again, with its number; earlier ones that were interrupted are known to it."""
    unit = unit_of(letter)
    with journal.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO unit (phase, id, position, source_table, spec) VALUES (?, ?, ?, ?, ?)",
            (PHASE, unit.id, letter.id, unit.table, unit.spec),
        )
    number, unsettled = journal.hand_out(PHASE, unit.id, 1)
    return SliceTask(PHASE, unit, number, 0, None, unsettled=unsettled)


def settle(journal: Journal, letter: Letter, attempt: Attempt) -> None:
    """Journal what became of a letter: counts, digests, claims and its own state.

    :raises JournalUnwritable: nothing of it was written
    """
    account, now = attempt.account, time.time()
    unit, table, plan = account.task.unit.id, letter.table, account.work.plan
    written = None if attempt.move is None else Replayed.of(attempt.move, plan.source, plan.target).to_json()
    with journal.transaction() as connection:
        connection.execute(
            "UPDATE unit SET unsettled = '[]', sequence = sequence + 1, finished = ?, updated = ?, read = read + 1, "
            "cursor = ?, "
            "written = written + ?, unchanged = unchanged + ?, skipped = skipped + ? WHERE phase = ? AND id = ?",
            (attempt.failure is None, now, written, attempt.stored and not account.unchanged, account.unchanged,
             account.skipped, PHASE, unit),
        )  # fmt: skip
        sides = {"expected": account.expected, "replaced": account.replaced}
        if attempt.decoded:
            sides["source"] = account.source
        for side, digest in sides.items():
            if digest.buckets:
                # They belong to what was copied: a verification looks nowhere else.
                journal.add_digest(connection, _COPY, table, side, digest.pack())
        given_back = b"" if attempt.stored else b"".join(claims_of(account, account.lost))
        journal.settle_claims(connection, unit, given_back)
        if account.moved:
            note_moved(connection, table)
        failure = attempt.failure
        if failure is None:
            connection.execute(
                "UPDATE dead SET status = 'replayed', attempts = attempts + 1, updated = ? WHERE id = ?",
                (now, letter.id),
            )
        else:
            connection.execute(
                "UPDATE dead SET status = 'open', attempts = attempts + 1, updated = ?, code = ?, reason = ? "
                "WHERE id = ?",
                (now, failure.code, failure.reason, letter.id),
            )
            # What it holds and the phase tell letters apart: where another one of this item has both, they stay.
            connection.execute(
                "UPDATE OR IGNORE dead SET phase = ?, original = ?, form = ?, identity = ? WHERE id = ?",
                (failure.phase, failure.original, failure.form, identity_of(failure), letter.id),
            )
