"""What the target should hold, as the copy journaled it."""

from __future__ import annotations

from isthmus_migration.digests import BucketDigest
from isthmus_migration.journal.acceptances import former_units
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.rollback.beginning import BEFORE


def was_copied(journal: Journal) -> bool:
    """Whether the work directory is one of a migration, and not of a verification alone."""
    return journal.meta("purpose") != "verify"


def journaled_digest(journal: Journal, plan: TablePlan, *, alone: bool = False) -> BucketDigest | None:
    """The digest that the target's table should have; ``None`` where only the source can tell.

    A table that held items before has those that were not replaced, and what was written. Where some items were copied
    under a former plan, the journal has what that one made of them, and not what they should be.

    :param alone: without what the table held before
    """
    name = plan.source.name
    if not was_copied(journal) or former_units(journal, name):
        return None
    expected = journal.digest("copy", name, "expected")
    if not plan.occupied or alone:
        return expected
    if not _known_before(journal, name):
        return None
    before = journal.digest("before", name, "target")
    before.subtract(journal.digest("copy", name, "replaced"))
    before.merge(expected)
    return before


def _known_before(journal: Journal, name: str) -> bool:
    states = [state for state in journal.units(BEFORE) if state.unit.table == name]
    return bool(states) and all(state.finished for state in states)
