"""The dry run of ``isthmus migrate plan --sample``: what becomes of a few items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from isthmus.capabilities import Limits
from isthmus.cli.output import console, warn
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.places.base import Place
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.probing import probe_target
from isthmus_migration.places.references import reference_of
from isthmus_migration.plans.apart import Untried, apart
from isthmus_migration.plans.making import check_transforms
from isthmus_migration.plans.plan import PlacePlan
from isthmus_migration.plans.planning import source_plan
from isthmus_migration.transforms import CompiledTransform, Sample, Transform, compile_transform, dry_run
from isthmus_migration.transforms.rendering import render_samples

_PAGE_BYTES = 8_000_000


def show_sample(
    source: str, target: str, tables: tuple[str, ...], transforms: Mapping[str, Transform], count: int, *,
    definitions: Sequence[Table], as_json: bool,
) -> None:  # fmt: skip
    """Print what would become of some items of each table; nothing is written anywhere.

    :raises TableNotFound: the source lacks a table
    :raises InvalidArgument: a transform is for no table that is shown
    """
    limits = _limits(target)
    with open_place(source_plan(source, definitions), source) as here:
        names = tables or tuple(table.name for table in here.tables())
        check_transforms(transforms, names)
        for name in names:
            table = here.table(name)
            compiled = compile_transform(transforms.get(name, Transform()), table, limits)
            items, unreadable = first_items(here, table, count)
            _show(table, _tried(compiled, table, limits, items, as_json=as_json), as_json=as_json)
            if unreadable:
                warn(f"{unreadable} items of table {name!r} can't be read: they become dead letters", as_json=as_json)


def _limits(target: str) -> Limits:
    """The target's limits; nothing is made for this."""
    with probe_target(PlacePlan(reference_of(target)), target) as there:
        return there.limits


def _tried(
    compiled: CompiledTransform, table: Table, limits: Limits, items: Sequence[Item], *, as_json: bool
) -> list[Sample]:
    """What becomes of items, as far as they could be tried."""
    found: list[Sample] = []
    with apart(compiled, table, limits) as trial:
        try:
            for item in items:
                found += dry_run(trial.transform, [item])
        except Untried as error:
            warn(error.message, as_json=as_json)
    return found


def _show(table: Table, samples: list[Sample], *, as_json: bool) -> None:
    if as_json:
        for sample in samples:
            print(json.dumps({"table": table.name, **sample.to_dict(table.key_names)}, ensure_ascii=False))
        return
    print(f"{table.name}:")
    console().print(render_samples(samples, table.key_names))


def first_items(place: Place, table: Table, count: int) -> tuple[list[Item], int]:
    """Some items of a table, fewer where it has fewer; and how many that can't be read are among them."""
    found: list[Item] = []
    unreadable = 0
    for unit in place.units(table, 1):
        cursor: str | None = None
        while len(found) < count:
            page = place.read(table, unit, cursor, items=count - len(found), size=_PAGE_BYTES)
            found += page.items
            unreadable += len(page.unreadable)
            if page.cursor is None:
                break
            cursor = page.cursor
    return found, unreadable
