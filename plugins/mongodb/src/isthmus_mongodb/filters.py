"""Conditions as filters for ``find``: a part that indexes serve, and the exact expression that decides."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from isthmus.expressions import And, Attribute, BeginsWith, Between, Comparison, Condition, Exists, In, Or, Path
from isthmus_mongodb.conditions import OPERATORS, test_of
from isthmus_mongodb.expressions import Reader, any_of, negated
from isthmus_mongodb.layouts import Layout
from isthmus_mongodb.names import dotted
from isthmus_mongodb.values import encode_value

Query = dict[str, Any]


@frozen
class Filter:
    """A query filter that leaves out nothing that fulfils the condition.

    :param query: the filter, ``None`` when nothing can be left out
    :param exact: whether it lets nothing else pass; otherwise the evaluator has to look at what is found
    """

    query: Query | None
    exact: bool


def filter_of(condition: Condition, layout: Layout) -> Filter:
    """The condition as a filter for ``find``: a part that indexes serve, and the exact expression."""
    test = test_of(condition, Reader(layout))
    if test is None:
        return Filter(None, exact=False)
    narrowing = _narrowing(condition, layout)
    passes = any_of([test.value, *map(negated, test.guards)])
    exact: Query = {"$expr": passes}
    return Filter(exact if narrowing is None else {"$and": [narrowing, exact]}, exact=not test.guards)


def _narrowing(condition: Condition, layout: Layout) -> Query | None:
    """A plain predicate that may let too much pass, never too little; it is what an index can serve."""
    match condition:
        case And(inner):
            found = [part for part in (_narrowing(each, layout) for each in inner) if part is not None]
            return {"$and": found} if found else None
        case Or(inner):
            parts = [_narrowing(each, layout) for each in inner]
            return {"$or": parts} if parts and None not in parts else None
        case Comparison(Attribute(path), operator, value) if not isinstance(value, Attribute):
            return _plain(layout, path, OPERATORS.get(operator), value)
        case Between(Attribute(path), low, high) if not isinstance(low, Attribute) and not isinstance(high, Attribute):
            return _narrowing(
                And((Comparison(Attribute(path), ">=", low), Comparison(Attribute(path), "<=", high))), layout
            )
        case In(Attribute(path), values):
            return _plain(layout, path, "$in", list(values))
        case Exists(path):
            return None if str(path[0]) in layout.by_name else {dotted(path): {"$exists": True}}
        case BeginsWith(path, str(prefix)):
            return _plain(layout, path, "$gte", prefix)
        case _:
            return None


def _plain(layout: Layout, path: Path, operator: str | None, value: Any) -> Query | None:
    binary_order = isinstance(value, bytes) and operator != "$eq"
    if operator is None or binary_order or str(path[0]) in layout.by_name:
        return None
    return {dotted(path): {operator: encode_value(value)}}
