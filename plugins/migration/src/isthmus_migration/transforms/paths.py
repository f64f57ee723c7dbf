"""Paths of transforms, ``address.zip``, ``tags[0]``, ``lines[].price``, ``"a.b".c``: reading and changing by them.

``[]`` stands for each element of a list. Inside a path of this package it is :data:`EACH`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from isthmus.errors import InvalidPath
from isthmus.evaluate.lookup import step
from isthmus.expressions import MISSING, Path, check_path, path_text
from isthmus_migration.transforms.errors import TransformError

EACH: Final = -1
"""Each element of a list; no other element of a path is negative."""

_STEP: Final = re.compile(r'(\.?)(?:"((?:[^"\\]|\\.)+)"|([^."\[\]]+))|\[(\d*)\]')


def parse_path(text: object, *, indexes: bool = False, elements: bool = False) -> Path:
    """The path that a text names.

    :param indexes: whether single elements of lists may be named, ``tags[0]``
    :param elements: whether all elements of a list may be named, ``tags[]``
    :raises InvalidPath: it names none
    """
    if not isinstance(text, str) or not text:
        raise InvalidPath(f"a path is text such as address.zip, not {type(text).__name__ if text != '' else 'nothing'}")
    path = tuple(_steps(text))
    if EACH in path and not elements:
        raise InvalidPath(f"{text}: [] can't stand here")
    if any(type(element) is int and element != EACH for element in path) and not indexes:
        raise InvalidPath(f"{text}: an element of a list can't be named here")
    check_path([0 if element == EACH else element for element in path])
    return path


def _steps(text: str) -> Iterator[str | int]:
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or (found[4] is None and bool(found[1]) != bool(position)):
            raise InvalidPath(
                f"{text!r} is no path at column {position + 1}: write names with dots between, a[0], a[], and names"
                ' with dots in them in quotes, "a.b".c'
            )
        yield _step(found)
        position = found.end()


def _step(found: re.Match[str]) -> str | int:
    if found[4] is not None:
        return int(found[4]) if found[4] else EACH
    return found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])


def shown(path: Path) -> str:
    """The path as it is written in declarations."""
    return path_text(path).replace(f"[{EACH}]", "[]")


def split_elements(path: Path) -> tuple[Path, Path]:
    """A path up to its last ``[]``, and the names after it."""
    last = max((position for position, element in enumerate(path) if type(element) is int), default=-1) + 1
    return path[:last], path[last:]


def containers(value: Any, pattern: Path, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What is at a path, which is several values where the path says ``[]``; what is missing is left out."""
    for depth, element in enumerate(pattern):
        if element == EACH:
            members = value if type(value) is list else []
            for position, member in enumerate(members):
                yield from containers(member, pattern[depth + 1 :], (*path, position))
            return
        value = step(value, element)
        path = (*path, element)
    if value is not MISSING:
        yield path, value


def take(item: dict[str, Any], path: Path) -> Any:
    """Remove a value from a map of the caller's own, and return it; ``MISSING`` where there is none."""
    for element in path[:-1]:
        found = item.get(str(element))
        if type(found) is not dict:
            return MISSING
        item = found
    return item.pop(str(path[-1]), MISSING)


def put(item: dict[str, Any], path: Path, value: Any, *, replace: bool = False, above: Path = ()) -> None:
    """Add a value to a map of the caller's own, with the maps around it that are missing.

    :param above: where the map is, for messages
    :raises TransformError: there is a value, and it may not be replaced; or what should be a map is none
    """
    for depth, element in enumerate(path[:-1], 1):
        found = item.setdefault(str(element), {})
        if type(found) is not dict:
            raise TransformError("wrong_type", (*above, *path[:depth]), "is no map, so nothing can be put into it")
        item = found
    if str(path[-1]) in item and not replace:
        raise TransformError(
            "attribute_exists", (*above, *path), "exists already and is never overwritten: drop it, or choose a name"
        )
    item[str(path[-1])] = value
