"""Following a path into an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isthmus.expressions import MISSING, Missing, Path
from isthmus.values import Value

Getter = Callable[[Mapping[str, Value]], Value | Missing]


def lookup(item: Mapping[str, Value], path: Path) -> Value | Missing:
    """The value at the path, or ``MISSING``.

    A name leads only into a map and an index only into a list; an index past the end is missing. Lists are never
    searched.
    """
    return follow(item.get(str(path[0]), MISSING), path[1:])


def follow(value: Value | Missing, path: Path) -> Value | Missing:
    """The value at the path below ``value``, or ``MISSING``."""
    for element in path:
        value = step(value, element)
    return value


def step(value: Any, element: str | int) -> Any:
    """One step of :func:`follow`."""
    if isinstance(element, str):
        return value.get(element, MISSING) if isinstance(value, dict) else MISSING
    if isinstance(value, list) and 0 <= element < len(value):
        return value[element]
    return MISSING


def getter(path: Path) -> Getter:
    """:func:`lookup` for one path, made fast for scanning many items."""
    name, rest = str(path[0]), path[1:]
    if not rest:
        return lambda item: item.get(name, MISSING)
    return lambda item: follow(item.get(name, MISSING), rest)
