"""The members of a group: which DAL classes its annotations name, and whether they can stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from isthmus.dal.base import DalBase
from isthmus.errors import InvalidArgument


class Group:
    """Base of sync and async groups."""


def members_of(group: type[Any], wanted: tuple[type[Any], ...]) -> dict[str, type[Any]]:
    """The DAL classes of a group by the names of its attributes.

    :param wanted: the DAL class and the group, sync or async
    :raises InvalidArgument: there are none, one can't be found, or two are in each other's way
    """
    hints = _annotations(group)
    found = {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, wanted)}
    if not found and not any(map(_is_dal, hints.values())):
        raise InvalidArgument(f"{group.__name__} has no members: annotate them, as in orders: Orders")
    _check_kinds(group, {name: kind for name, kind in hints.items() if name not in found})
    _check_names(group, found)
    _check_places(group, found)
    return found


def _annotations(group: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(group)
    except NameError as error:
        raise InvalidArgument(
            f"{group.__name__} has a member of a class that its module doesn't have: {error}. Import it there"
        ) from None


def _is_dal(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, (DalBase, Group))


def _check_kinds(group: type[Any], others: Mapping[str, Any]) -> None:
    for name, kind in others.items():
        if _is_dal(kind):
            raise InvalidArgument(f"{group.__name__}.{name} is of class {kind.__name__}: sync and async ones don't mix")


def _check_names(group: type[Any], found: Mapping[str, type[Any]]) -> None:
    base = next(kind for kind in group.__mro__ if Group in kind.__bases__)
    for name in found:
        if hasattr(base, name):
            raise InvalidArgument(
                f"a member of {group.__name__} is called {name!r}, as a method is: give it another name"
            )


def _check_places(group: type[Any], found: Mapping[str, type[Any]]) -> None:
    taken: dict[object, str] = {}
    for name, kind in found.items():
        for place in _places(kind):
            other = taken.setdefault(place, name)
            if other != name:
                raise InvalidArgument(
                    f"members {other!r} and {name!r} of {group.__name__} have the same discriminator {place[2]!r} in"
                    f" table {place[0]!r}: one class for each kind of record, and a discriminator for each class"
                )


def _places(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    if issubclass(kind, DalBase):
        place = kind.declaration().place
        if place is not None:
            yield place
