"""What tables hold before the first item is copied: what a rollback ends with, and what a verification starts from."""

from __future__ import annotations

from isthmus.errors import AlreadyExists
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.session import Session
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import Plan
from isthmus_migration.rollback.digesting import add_target_units

BEFORE = "before"
"""The phase that digests the tables that are there already; its side is ``target``."""


def add_before_units(plan: Plan, journal: Journal, target: Place) -> None:
    """Divide the tables that are there already, unless that was done."""
    add_target_units(journal, BEFORE, target, [table for table in plan.tables if not table.created])


def digest_before(session: Session) -> PhaseOutcome:
    """Digest the tables that are there already, unless that was done.

    :raises AlreadyExists: one that was empty when the plan was made has been filled
    """
    journal = session.journal
    if all(state.finished for state in journal.units(BEFORE)):
        return PhaseOutcome("finished")
    outcome = session.do(BEFORE)
    if outcome.finished:
        _check_still_empty(session.plan, journal)
    return outcome


def _check_still_empty(plan: Plan, journal: Journal) -> None:
    for table in plan.tables:
        planned_empty = not table.created and not table.occupied
        if planned_empty and journal.digest(BEFORE, table.source.name, "target").items:
            journal.forget_phase(BEFORE)
            raise AlreadyExists(
                f"table {table.target.name!r} of the target was empty when the plan was made, and holds items now: "
                "plan anew in another directory"
            )
