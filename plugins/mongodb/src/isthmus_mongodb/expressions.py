"""Building blocks of aggregation expressions: values at paths, and tests of their types.

Only the first name of a path may be a field path, because the server walks dotted ones through arrays. Every further
name is read by ``$getField``, every index by a guarded ``$arrayElemAt``. A value that is not there is *missing*, which
no comparison takes for null. Constants always stand in ``$literal``, so that none is read as an operator or a path.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import frozen

from isthmus.expressions import Path
from isthmus_mongodb.layouts import KeyField, Layout
from isthmus_mongodb.names import escape

Expression = Any

REMOVED: Final = "$$REMOVE"
DEEPEST: Final = 150
"""Levels of one expression; the server refuses a whole command that is nested deeper than 200."""


def literal(value: Any) -> Expression:
    """A stored value as a constant."""
    return {"$literal": value}


TRUE: Final = literal(True)
FALSE: Final = literal(False)
_NOTHING: Final = literal({})


@frozen
class Reader:
    """Reads attributes of one document.

    :param root: ``"$"`` for the document itself, ``"$$name."`` for a variable
    """

    layout: Layout
    root: str = "$"

    def at(self, path: Path) -> Expression:
        """The value at the path in its stored form, or missing."""
        value = self._attribute(str(path[0]))
        for element in path[1:]:
            value = member(value, element) if isinstance(element, str) else element_at(value, element)
        return value

    def _attribute(self, name: str) -> Expression:
        key = self.layout.by_name.get(name)
        return f"{self.root}{escape(name)}" if key is None else get_field(f"{self.root}_id", key.stored)

    def binary_key(self, path: Path) -> KeyField | None:
        """The key attribute at the path if it is kept as hexadecimal text."""
        key = self.layout.by_name.get(str(path[0])) if len(path) == 1 else None
        return key if key is not None and key.binary else None


def get_field(value: Expression, stored: str) -> Expression:
    """A field of a document, by its stored name; missing where there is no document."""
    return {"$getField": {"field": literal(stored), "input": value}}


def member(value: Expression, name: str) -> Expression:
    """The value under a name of a map, or missing."""
    # On null `$getField` answers null, which would be taken for a value.
    return get_field({"$ifNull": [value, _NOTHING]}, escape(name))


def element_at(value: Expression, index: int) -> Expression:
    """An element of a list, or missing."""
    if index >= 2**31:
        return REMOVED
    inner = {"$cond": [{"$isArray": ["$$list"]}, {"$arrayElemAt": ["$$list", index]}, REMOVED]}
    return {"$let": {"vars": {"list": value}, "in": inner}}


def members(value: Expression, tag: str) -> Expression:
    """The members of a set as an array, or missing; the tag is ``%SS``, ``%NS`` or ``%BS``."""
    return get_field({"$ifNull": [value, _NOTHING]}, tag)


def has_type(value: Expression, *types: str) -> Expression:
    """Whether a value has one of the server's types."""
    if len(types) == 1:
        return {"$eq": [{"$type": value}, types[0]]}
    return {"$in": [{"$type": value}, literal(list(types))]}


def is_missing(value: Expression) -> Expression:
    """Whether there is no value."""
    return has_type(value, "missing")


def is_present(value: Expression) -> Expression:
    """Whether there is a value; null is one."""
    return {"$ne": [{"$type": value}, "missing"]}


def is_numeric(value: Expression) -> Expression:
    """Whether a value is a number."""
    return {"$isNumber": value}


def is_list(value: Expression) -> Expression:
    """Whether a value is a list."""
    return {"$isArray": [value]}


def is_set(value: Expression, tag: str) -> Expression:
    """Whether a value is a set of the tag's kind."""
    return is_list(members(value, tag))


def is_map(value: Expression) -> Expression:
    """Whether a value is a map."""
    return all_of([has_type(value, "object"), *(negated(is_set(value, tag)) for tag in ("%SS", "%NS", "%BS"))])


def all_of(tests: Iterable[Expression]) -> Expression:
    """Whether all hold."""
    every = [test for test in tests if test is not TRUE]
    return every[0] if len(every) == 1 else {"$and": every}


def any_of(tests: Iterable[Expression]) -> Expression:
    """Whether one holds at least."""
    every = list(tests)
    return every[0] if len(every) == 1 else {"$or": every}


def negated(test: Expression) -> Expression:
    """Whether the test does not hold."""
    return {"$not": [test]}


def depth(expression: Expression) -> int:
    """How many levels of documents and arrays an expression has."""
    levels, current = 0, [expression]
    while current:
        inner: list[Any] = []
        for part in current:
            if isinstance(part, dict):
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
        levels, current = levels + 1, inner
    return levels
