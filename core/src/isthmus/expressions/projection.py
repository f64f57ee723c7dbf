"""Projections: which parts of an item a read returns."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.errors import InvalidArgument
from isthmus.expressions.fields import Field, path_of, targets_of
from isthmus.expressions.paths import Path, path_tree


def projection(fields: str | Field | Iterable[str | Field]) -> tuple[Path, ...]:
    """The paths of a projection, in the order given; text is one literal top-level name.

    :raises InvalidArgument: there are none
    :raises InvalidPath: a path is not valid, given twice, or overlaps with another one
    """
    paths = tuple(path_of(target) for target in targets_of(fields))
    if not paths:
        raise InvalidArgument("A projection names at least one attribute; leave it out to read whole items.")
    path_tree(paths)
    return paths
