"""Pre-images that are gone from the disk: to be noticed before anything is put back, not by what is left afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import Plan
from isthmus_migration.slices.images import ImageFile, image_files


def require_images(journal: Journal, plan: Plan, images: Path) -> None:
    """Refuse a rollback for which images are missing that the journal knows of.

    :raises WorkDirectoryDamaged: some are
    """
    for table in plan.tables:
        lost = 0 if table.created or not plan.keep_images else lost_images(journal, table.source.name, images)
        if lost:
            raise WorkDirectoryDamaged(
                f"{images} lacks pre-images of {lost:,} items of table {table.target.name!r}: restore it from a copy "
                "of the work directory; with force what is left is put back, over what others have written too"
            )


def lost_images(journal: Journal, table: str, images: Path) -> int:
    """How many items of a table of the source were written, at least, without an image that is still there."""
    rows = journal.rows(
        "SELECT phase, id, written, unsettled FROM unit WHERE source_table = ? AND phase IN ('copy', 'repair')",
        (table,),
    )
    kept = (_kept(images / phase / unit, json.loads(unsettled)) for phase, unit, _written, unsettled in rows)
    return sum(max(0, written - count) for (_phase, _unit, written, _unsettled), count in zip(rows, kept, strict=True))


def _kept(folder: Path, unsettled: list[tuple[int, int]]) -> int:
    """How many images the runs of a unit kept that were journaled."""
    files = [ImageFile.of(path) for path in image_files(folder)]
    handed_out = (number for number, _items in unsettled)
    never_journaled = {*handed_out, *(number for file in files for number in file.unsettled)}
    return sum(file.count for file in files if file.number not in never_journaled)
