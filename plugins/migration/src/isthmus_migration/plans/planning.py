"""From what a user names to a work directory with its plan: both places opened, looked at, and closed again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus_migration.journal.workdir import WorkDirectory, check_free, write_whole
from isthmus_migration.places.base import Place
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.probing import probe_target
from isthmus_migration.places.references import Given, reference_of
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.plans.making import Made, make_plan
from isthmus_migration.plans.plan import PlacePlan
from isthmus_migration.plans.table_plans import Wish
from isthmus_migration.transforms import Transform, read_mapping_file

_PREFLIGHT: Final = "preflight.json"
MappingSource = str | os.PathLike[str] | Mapping[str, Any]


def plan_in(
    workdir: Path,
    source: Given,
    target: Given,
    wish: Wish,
    *,
    format: str | None = None,
    compression: str | None = None,
    lossy: bool = False,
    definitions: Sequence[Table] = (),
) -> tuple[WorkDirectory, Made]:  # fmt: skip
    """Plan a migration and make its work directory; nothing else is written, and nothing at all if it can't work.

    :param format: of an export that is written
    :param compression: of that export
    :param lossy: whether its format may lose what it has no place for
    :param definitions: of the source's tables, where an export has none
    """
    check_free(workdir)
    ends = source_plan(source, definitions), PlacePlan(reference_of(target), format, compression, lossy)
    if (format or compression or lossy) and ends[1].reference.kind != "export":
        raise InvalidArgument("a format is one of a folder, and the target is a database: leave it out")
    with open_place(ends[0], source) as here, probe_target(ends[1], target) as there:
        for place in (here, there):
            check_beside(workdir, place)
        made = make_plan(here, there, ends, wish)
    work = WorkDirectory.create(workdir, made.plan)
    with suppress(OSError):  # the plan is whole without it
        write_whole(work.path / _PREFLIGHT, json.dumps(made.preflight.to_dict(), indent=1, ensure_ascii=False) + "\n")
    return work, made


def check_beside(workdir: Path, place: Place) -> None:
    """Refuse a work directory that would get files of a place among its own, or the place those of the work directory.

    :raises InvalidArgument: one lies in the other
    """
    work, identity = workdir.resolve(), place.identity
    if identity.holds(work) or any(path.is_relative_to(work) for path in identity.paths):
        raise InvalidArgument(
            f"the work directory {workdir} and {place.name} lie in each other: name a work directory beside it"
        )


def source_plan(source: Given, definitions: Sequence[Table]) -> PlacePlan:
    """How a source is written down.

    :param definitions: of its tables, where an export has none
    :raises InvalidArgument: a database knows its own
    """
    reference = reference_of(source)
    if definitions and reference.kind != "export":
        raise InvalidArgument(
            "definitions are for exports that have none, and the source is a database: leave them out"
        )
    return PlacePlan(reference, definitions=tuple(definitions))


def compared_plans(source: Given, target: Given, definitions: Sequence[Table]) -> tuple[PlacePlan, PlacePlan]:
    """How two places that are compared are written down.

    :param definitions: of the tables of either, where it is an export that has none
    :raises InvalidArgument: both are databases, which know their own
    """
    references = reference_of(source), reference_of(target)
    if definitions and all(reference.kind != "export" for reference in references):
        raise InvalidArgument(
            "definitions are for exports that have none, and both places are databases: leave them out"
        )
    here, there = (tuple(definitions) if reference.kind == "export" else () for reference in references)
    return PlacePlan(references[0], definitions=here), PlacePlan(references[1], definitions=there)


def read_preflight(work: WorkDirectory) -> Preflight | None:
    """What was found when the plan was made; ``None`` where that was removed or is damaged."""
    try:
        return Preflight.from_dict(json.loads((work.path / _PREFLIGHT).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_transforms(transforms: Mapping[str, Transform] | None, mapping: MappingSource | None) -> dict[str, Transform]:
    """The transforms that were given as objects and in a mapping.

    :param mapping: a mapping file, or what stands beneath ``tables`` in one
    :raises InvalidArgument: a table has two
    :raises ConfigurationError: the mapping is not valid
    """
    given, mapped = dict(transforms or {}), _mapped(mapping)
    for name, transform in given.items():
        if not isinstance(transform, Transform):
            raise InvalidArgument(
                f"the transform of table {name!r} is a {type(transform).__name__}: give a Transform, or data as mapping"
            )
    twice = sorted(given.keys() & mapped.keys())
    if twice:
        raise InvalidArgument(f"table {twice[0]!r} has a transform and is in the mapping too: leave one out")
    return {**given, **mapped}


def _mapped(mapping: MappingSource | None) -> dict[str, Transform]:
    if mapping is None:
        return {}
    if isinstance(mapping, Mapping):
        return {name: Transform.from_dict(data, where=f"mapping: {name}") for name, data in mapping.items()}
    return read_mapping_file(Path(mapping))
