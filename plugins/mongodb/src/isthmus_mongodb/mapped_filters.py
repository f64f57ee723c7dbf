"""Conditions on mapped documents as plain predicates, which may let too much pass, never too little.

What others wrote compares by other rules on the server: doubles by their exact value, maps by the order of their
fields. So the condition itself is always judged here, and the server only leaves out what can't fulfil it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from isthmus.errors import InvalidValue
from isthmus.expressions import (
    And,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Contains,
    Exists,
    In,
    Or,
    Path,
)
from isthmus_mongodb.mapped_keys import forms, greatest, least
from isthmus_mongodb.mappings import CollectionMapping, Node

Query = dict[str, Any]

_SCALARS = frozenset({str, bool, int, Decimal, bytes})


def narrowing(condition: Condition, mapping: CollectionMapping) -> Query | None:
    """The predicate, or ``None`` where nothing can be left out."""
    match condition:
        case And(inner):
            found = [part for part in (narrowing(each, mapping) for each in inner) if part is not None]
            return {"$and": found} if found else None
        case Or(inner):
            parts = [narrowing(each, mapping) for each in inner]
            return {"$or": parts} if parts and None not in parts else None
        case Between(Attribute() as operand, low, high):
            both = And((Comparison(operand, ">=", low), Comparison(operand, "<=", high)))
            return narrowing(both, mapping)
        case Comparison(Attribute(path), operator, value):
            return _compared(mapping, path, operator, value)
        case In(Attribute(path), values):
            return _one_of(mapping, path, list(values))
        case _:
            return _function(condition, mapping)


def _function(condition: Condition, mapping: CollectionMapping) -> Query | None:
    match condition:
        case Exists(path):
            field = _field(mapping, path)
            return None if field is None else {field: {"$exists": True}}
        case BeginsWith(path, str(prefix)):
            return _compared(mapping, path, ">=", prefix)
        case Contains(path, value):
            node = _node(mapping, path)
            is_set = node is not None and node.kind == "set"
            return _one_of(mapping, path, [value], node.elements if node else None) if is_set else None
        case _:
            return None


def _compared(mapping: CollectionMapping, path: Path, operator: str, value: Any) -> Query | None:
    field, node = _field(mapping, path), _node(mapping, path)
    if operator == "==":
        return _one_of(mapping, path, [value], node)
    if field is None or type(value) not in (str, int, Decimal) or operator == "!=" or _is_set(node):
        return None
    kind = None if node is None else node.kind
    bound = least(value, kind) if operator in (">", ">=") else greatest(value, kind)
    return None if bound is None else {field: {"$gte" if operator in (">", ">=") else "$lte": bound}}


def _one_of(mapping: CollectionMapping, path: Path, values: list[Any], node: Node | None = None) -> Query | None:
    field, node = _field(mapping, path), node or _node(mapping, path)
    if field is None or _is_set(node) or not {type(value) for value in values} <= _SCALARS:
        return None
    try:
        return {
            field: {"$in": [form for value in values for form in forms(value, None if node is None else node.kind)]}
        }
    except InvalidValue:
        return None


def _is_set(node: Node | None) -> bool:
    return node is not None and node.kind == "set"


def _field(mapping: CollectionMapping, path: Path) -> str | None:
    """The path as predicates spell it, or ``None`` where they can't."""
    first = next((key.field for key in mapping.keys if key.name == path[0]), str(path[0]))
    names = [first, *map(str, path[1:])]
    odd = any(name.startswith("$") or "." in name or "\0" in name for name in map(str, path))
    return None if odd else ".".join(names)


def _node(mapping: CollectionMapping, path: Path) -> Node | None:
    key = next((key for key in mapping.keys if key.name == path[0]), None)
    if key is not None:
        return Node(key.kind) if len(path) == 1 else None
    node: Node | None = mapping.tree
    for part in path:
        node = None if node is None else node.below("[]" if isinstance(part, int) else part)
    return node
