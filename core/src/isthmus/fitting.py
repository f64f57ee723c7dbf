"""Whether stored items fit the classes of repositories: a further check for ``isthmus.validating``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isthmus.deviations import Deviation
from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.repository.base import RepositoryBase
from isthmus.repository.layout import Part
from isthmus.repository.mapper import Mapper
from isthmus.repository.misfits import Misfit
from isthmus.repository.shapes import ABSENT, Field
from isthmus.validating import ItemCheck
from isthmus.values import Item


def fits(*repositories: RepositoryBase[Any]) -> ItemCheck:
    """A check that each item fits its class: every field that doesn't, and keys that its fields don't make.

    In a table with several classes, items of classes that are not given are left alone.

    :param repositories: of one table, sync or async
    :raises InvalidArgument: there is none
    """
    if not repositories:
        raise InvalidArgument("fits() takes the repositories of the classes that items have to fit")
    mappers = [repository._mapper for repository in repositories]  # noqa: SLF001  # its public face makes entities

    def check(item: Item) -> Iterator[Deviation]:
        for mapper in mappers:
            if mapper.is_mine(item):
                yield from misfits(mapper, item)

    return check


def misfits(mapper: Mapper[Any], item: Item) -> Iterator[Deviation]:
    """What keeps an item from being an entity of a class."""
    try:
        today = _today(mapper, item)
    except IsthmusError as error:
        yield Deviation("model", error.message)
        return
    found = [one for field in mapper.fields.values() for one in _field(mapper, field, today)]
    yield from found or _whole(mapper, today)


def _today(mapper: Mapper[Any], item: Item) -> Item:
    if mapper.model.upgrade is None and mapper.model.shape is None:
        return item
    return mapper._upgraded(item)  # noqa: SLF001  # half of what reading an entity does


def _field(mapper: Mapper[Any], field: Field, item: Item) -> Iterator[Deviation]:
    if field.stored not in item:
        if field.required:
            yield _misfit(mapper, Misfit("nothing", field.codec.wanted).below(field.name))
        return
    try:
        field.codec.decode(item[field.stored])
    except Misfit as misfit:
        yield _misfit(mapper, misfit.below(field.name))
    except IsthmusError as error:
        yield Deviation("model", f"field {field.name!r} of {mapper.name}: {error.message}", field.name)


def _misfit(mapper: Mapper[Any], misfit: Misfit) -> Deviation:
    message = f"field {misfit.place!r} of {mapper.name} takes {misfit.wanted}, and {misfit.found} is stored"
    stored = "missing" if misfit.found == "nothing" else misfit.found.removeprefix("a ")
    return Deviation("model", message, misfit.place, stored, misfit.wanted)


def _whole(mapper: Mapper[Any], item: Item) -> Iterator[Deviation]:
    """What shows only where all fields are as declared: the class's own validators, and keys of templates."""
    try:
        mapper.layout.shape.decode(item)
    except Misfit as misfit:
        yield Deviation("model", f"{mapper.name} takes {misfit.wanted}, and {misfit.found} is stored")
    except IsthmusError as error:
        yield Deviation("model", f"{mapper.name}: {error.message}")
    for name, part in mapper.layout.derived:
        if _derived(part, item) != item.get(name, ABSENT):
            fields = ", ".join(field.name for field in part.fields)
            yield Deviation("model", f"{name!r} is not what {mapper.name} makes of {fields}", name)


def _derived(part: Part, item: Item) -> Any:
    try:
        return part.value(item)
    except IsthmusError:  # the fields hold what keys can't be made of
        return None
