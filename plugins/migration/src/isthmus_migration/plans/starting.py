"""The moment before the first slice: the world is still as the plan found it, and the target's tables get made.

What a rollback drops, it drops for being ours. So the journal says which tables this migration has created, and a table
that somebody else created since the plan was made is refused, not used.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.errors import AlreadyExists, SchemaMismatch, TableNotFound
from isthmus.schema import Table
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import Plan, TablePlan
from isthmus_migration.plans.table_plans import is_occupied
from isthmus_migration.transforms import Transform, compile_transform

_CREATING, _CREATED = "creating:", "created:"


def is_ours(journal: Journal, table: str) -> bool:
    """Whether the migration has created a table of the target.

    :param table: its name in the target
    """
    return journal.meta(_CREATED + table) is not None


def may_be_ours(journal: Journal, table: str) -> bool:
    """Whether the migration has created a table of the target, or was about to when it was interrupted.

    :param table: its name in the target
    """
    return is_ours(journal, table) or journal.meta(_CREATING + table) is not None


def begin(plan: Plan, journal: Journal, source: Place, target: Place) -> None:
    """Make the target's tables, after everything was checked; done again, it makes what is still missing.

    :raises PlanChanged: the code of a transform is not the one that the plan was made with
    :raises TableNotFound: a table of the source is gone, or one of the target that was there before
    :raises SchemaMismatch: a table has another definition than when the plan was made
    :raises AlreadyExists: somebody else has created or filled a table of the target since the plan was made
    """
    check_transforms(plan, target)
    missing = [table for table in plan.tables if _is_missing(table, journal, target)]
    for table in plan.tables:
        _check_source(source, table.source)
    for table in missing:
        journal.set_meta(**{_CREATING + table.target.name: plan.id})
        target.create(table.target)
        journal.set_meta(**{_CREATED + table.target.name: plan.id})
        journal.event("info", "table_created", table=table.target.name)


def check_transforms(plan: Plan, target: Place) -> None:
    """Refuse to go on with other code.

    :raises PlanChanged: the source of a transform's function has changed since the plan was made
    :raises ConfigurationError: it can't be found any more
    """
    for table in plan.tables:
        if table.transform is not None:
            compile_transform(Transform.from_dict(table.transform), table.source, target.limits)


def _check_source(source: Place, planned: Table) -> None:
    try:
        stored = source.table(planned.name)
    except TableNotFound as error:
        raise TableNotFound(
            f"table {planned.name!r} of the source is gone since the plan was made: restore it, or plan anew"
        ) from error
    _check_same(planned, stored, "source")


def _check_same(planned: Table, stored: Table, place: str) -> None:
    differences = planned.differences(stored)
    if differences:
        raise SchemaMismatch(
            f"table {planned.name!r} of the {place} has changed since the plan was made: {'; '.join(differences)}: "
            "plan anew",
            differences=differences,
        )


def _is_missing(table: TablePlan, journal: Journal, target: Place) -> bool:
    """Whether a table of the target has to be created now.

    :raises IsthmusError: the target's table is not what the plan says
    """
    name = table.target.name
    try:
        stored = target.table(name)
    except TableNotFound:
        if table.created and not is_ours(journal, name):
            return True
        raise TableNotFound(
            f"table {name!r} of the target is gone since the migration began: plan anew in another directory"
        ) from None
    if table.created and not is_ours(journal, name):
        _adopt(table.target, stored, journal, target)
    _check_same(table.target, stored, "target")
    if not table.created and not table.occupied and _is_untouched(journal) and is_occupied(target, stored):
        raise AlreadyExists(
            f"table {name!r} of the target was empty when the plan was made, and holds items now: plan anew"
        )
    return False


def _is_untouched(journal: Journal) -> bool:
    """Whether no slice that writes was ever handed out; looking at what is there does no harm."""
    return not any(state.sequence or state.unsettled for state in journal.units("copy"))


def _adopt(planned: Table, stored: Table, journal: Journal, target: Place) -> None:
    """Take a table for ours that an earlier run was just creating when it died; it left it empty.

    :raises AlreadyExists: it is somebody else's
    """
    ours = journal.meta(_CREATING + planned.name) is not None
    # An export whose files nobody has finished can't be read; another one's would not be in a folder of ours.
    occupied = target.holds_keys and is_occupied(target, stored)
    if not ours or planned.differences(stored) or occupied:
        raise AlreadyExists(
            f"table {planned.name!r} of the target was created by somebody else since the plan was made: plan anew, "
            "or remove it"
        )
    journal.set_meta(**{_CREATED + planned.name: journal.meta(_CREATING + planned.name) or ""})


def ours(plan: Plan, journal: Journal) -> Iterable[TablePlan]:
    """The tables that the migration has created, in the plan's order."""
    return (table for table in plan.tables if table.created and is_ours(journal, table.target.name))
