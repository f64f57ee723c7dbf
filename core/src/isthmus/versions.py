"""The core's version, and the ranges in which plugins say what they work with."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from isthmus.errors import PluginError

CORE_VERSION = "0.1.0"

_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)\s*")
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def admits(requires: str, version: str) -> bool:
    """Whether a version is in a range of comma-separated clauses such as ``>=0.1,<0.2``; an empty range admits all.

    Only release numbers are compared, padded with zeros; that is all that lockstep releases need.

    :raises PluginError: the range can't be read
    """
    return all(_holds(clause, version) for clause in requires.split(",")) if requires.strip() else True


def _holds(clause: str, version: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise PluginError(f"version range {clause!r} can't be read: write clauses like >=0.1,<0.2")
    comparison, wanted = match.groups()
    return _COMPARE[comparison](_release(version), _release(wanted))


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version)[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))
