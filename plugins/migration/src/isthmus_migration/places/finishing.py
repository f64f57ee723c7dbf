"""The end of a copy from or into files: what a manifest promised was read, and nothing that was written may lack."""

from __future__ import annotations

from isthmus_migration.errors import ExportDamaged
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Part, Place
from isthmus_migration.plans.plan import Plan, TablePlan


def finish_tables(plan: Plan, journal: Journal, target: Place) -> None:
    """Finish all tables of a target that keeps parts; it may be done again.

    :raises ExportDamaged: files hold other items than the journaled slices have written
    """
    if not target.keeps_parts:
        return
    for table in plan.tables:
        target.finish(table.target, _parts(table, journal, target))
    for table in plan.tables:
        _check(table, journal, target)


def check_source(plan: Plan, journal: Journal, source: Place) -> None:
    """Compare what was read with what the source says of itself, where it does.

    :raises ExportDamaged: other items were read than its manifest promises
    """
    for table in plan.tables:
        promised = source.digest(table.source)
        if promised is None or _unreadable(journal, table):
            continue
        if promised != journal.digest("copy", table.source.name, "source"):
            raise ExportDamaged(
                f"table {table.source.name!r} of {source.name} gave other items than its manifest promises: export "
                "anew, or plan anew where another export has taken its place"
            )


def _unreadable(journal: Journal, table: TablePlan) -> bool:
    found = journal.rows("SELECT 1 FROM dead WHERE source_table = ? AND phase = 'decode' LIMIT 1", (table.source.name,))
    return bool(found)


def _parts(table: TablePlan, journal: Journal, target: Place) -> list[Part]:
    states = [state for state in journal.units("copy") if state.unit.table == table.source.name]
    parts = (Part(state.unit.id, number) for state in states for number in range(state.sequence))
    # A slice that had nothing to write wrote no part.
    return [part for part in parts if target.has_part(table.target, part)]


def _check(table: TablePlan, journal: Journal, target: Place) -> None:
    found, written = target.facts(table.target).items, journal.counts("copy", table.source.name).written
    if found is not None and found != written:
        raise ExportDamaged(
            f"the export in {target.name} has {found} items of table {table.target.name!r}, not the {written} that "
            "were written: export anew into another folder"
        )
    # Where another migration has a table in the same folder, only the last one of them finishes the export.
    promised = None if found is None else target.digest(table.target)
    if promised is not None and promised != journal.digest("copy", table.source.name, "expected"):
        raise ExportDamaged(
            f"the files of table {table.target.name!r} in {target.name} do not hold what was written: they were "
            "damaged or changed meanwhile; export anew into another folder"
        )
