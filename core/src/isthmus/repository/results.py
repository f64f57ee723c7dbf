"""What a write leaves with its entity: version and timestamps as they are stored, and a new snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from isthmus.repository.mapper import Mapper
from isthmus.repository.misfits import Misfit
from isthmus.values import Item

T = TypeVar("T")


def written(mapper: Mapper[T], entity: T, item: Item, maintained: Mapping[str, Any]) -> T:
    """The entity as it is stored: itself, or a copy where its class is frozen.

    :param item: what was written of it
    :param maintained: what Isthmus maintains in it
    """
    stored = {**item, **maintained}
    if isinstance(entity, dict):  # its names are those of the item, and the caller's own is left alone
        return cast("T", {**entity, **maintained})
    changes = dict(_changes(mapper, entity, maintained))
    entity = _changed(entity, changes) if changes else entity
    mapper.snapshots.keep(mapper.layout, entity, stored)
    return entity


def _changes(mapper: Mapper[Any], entity: Any, maintained: Mapping[str, Any]) -> Any:
    for one in mapper.fields.values():
        if one.stored in maintained:
            try:
                value = one.codec.decode(maintained[one.stored])
            except Misfit as misfit:
                raise mapper.stored_misfit(misfit.below(one.name), dict(maintained)) from None
            if getattr(entity, one.name) != value:
                yield one, value


def _changed(entity: T, changes: Mapping[Any, Any]) -> T:
    try:
        for one, value in changes.items():
            setattr(entity, one.name, value)
    except attrs.exceptions.FrozenError:
        return attrs.evolve(entity, **{one.alias: value for one, value in changes.items()})  # type: ignore[misc]  # attrs
    return entity
