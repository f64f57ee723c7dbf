"""Conditions as DynamoDB's expressions, with parentheses only where precedence asks for them (rule NUL-10)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

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
    IsType,
    Not,
    NotExists,
    Or,
    Size,
)
from isthmus.schema import Table
from isthmus.values import normalise_number
from isthmus_dynamodb.hidden import OPERATION_ID
from isthmus_dynamodb.placeholders import Placeholders

# How tightly a text binds: one that binds less than its surroundings needs parentheses.
OR: Final = 1
AND: Final = 2
NOT: Final = 3
_LEAF: Final = 4

_Rendered = tuple[str, int]

_IN_MOST: Final = 99
_TEXT_MOST: Final = 4_096
_OPERATORS_MOST: Final = 300
# The shortest operator with what belongs to it has this many characters.
_SURELY_FEW: Final = 4 * _OPERATORS_MOST
_OPERATOR: Final = re.compile(r"[<>=]+|\b(?:AND|OR|NOT|IN|BETWEEN)\b|[a-z]\(")
# In an update the equals signs assign.
_IN_UPDATES: Final = re.compile(r" \+ |[a-z]\(")
_UPDATES: Final = ("SET ", "ADD ", "REMOVE ", "DELETE ")

TYPES: Final = {
    "null": "NULL",
    "boolean": "BOOL",
    "number": "N",
    "string": "S",
    "binary": "B",
    "list": "L",
    "map": "M",
    "string_set": "SS",
    "number_set": "NS",
    "binary_set": "BS",
}

_OPERATORS: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def condition_text(condition: Condition, placeholders: Placeholders, surroundings: int = 0) -> str:
    """A condition's text.

    :param surroundings: ``AND`` if it is to be joined with others by ``AND``, ``NOT`` if it is to be negated
    """
    text, binding = _RENDERERS[type(condition)](condition, placeholders)
    return text if binding >= surroundings else f"({text})"


def names_hidden(condition: Condition) -> bool:
    """Whether a condition's text names the attribute that the backend adds, as it does where a part is constant."""
    placeholders = Placeholders()
    condition_text(condition, placeholders)
    return OPERATION_ID in placeholders.names


def visible_text(table: Table, now: float, placeholders: Placeholders) -> str | None:
    """What holds for an item that has not expired at ``now``, to be joined by ``AND``; ``None`` if none can expire.

    Attributes that are missing or no number don't expire an item (rule TTL-1).
    """
    return None if table.ttl is None else f"NOT {expired_text(table.ttl, now, placeholders)}"


def free_text(table: Table, now: float, placeholders: Placeholders) -> str:
    """What holds where there is no visible item, to be joined by ``AND``."""
    missing = f"attribute_not_exists({placeholders.name(table.key_names[0])})"
    return missing if table.ttl is None else f"({missing} OR {expired_text(table.ttl, now, placeholders)})"


def expired_text(ttl: str, now: float, placeholders: Placeholders) -> str:
    """What holds for an item that has expired at ``now``."""
    return f"{placeholders.name(ttl)} <= {placeholders.value(normalise_number(now))}"


def fits(text: str) -> bool:
    """Whether the service takes an expression of this length (rule SIZ-5)."""
    if len(text) <= _SURELY_FEW:
        return True
    operator = _IN_UPDATES if text.startswith(_UPDATES) else _OPERATOR
    return len(text) <= _TEXT_MOST and len(operator.findall(text)) <= _OPERATORS_MOST


def _members(condition: And | Or, word: str, binding: int, placeholders: Placeholders) -> _Rendered:
    texts = [condition_text(member, placeholders, binding) for member in condition.conditions]
    return word.join(texts), binding if len(texts) > 1 else _LEAF


def _and(condition: And, placeholders: Placeholders) -> _Rendered:
    if condition.conditions:
        return _members(condition, " AND ", AND, placeholders)
    name = placeholders.name(OPERATION_ID)
    return f"attribute_exists({name}) OR attribute_not_exists({name})", OR


def _or(condition: Or, placeholders: Placeholders) -> _Rendered:
    if condition.conditions:
        return _members(condition, " OR ", OR, placeholders)
    name = placeholders.name(OPERATION_ID)
    return f"attribute_exists({name}) AND attribute_not_exists({name})", AND


def _not(condition: Not, placeholders: Placeholders) -> _Rendered:
    inner = condition.condition
    if isinstance(inner, Not):
        return _RENDERERS[type(inner.condition)](inner.condition, placeholders)
    return f"NOT {condition_text(inner, placeholders, NOT)}", NOT


def _comparison(condition: Comparison, placeholders: Placeholders) -> _Rendered:
    operand, value = _term(condition.operand, placeholders), _term(condition.value, placeholders)
    return f"{operand} {_OPERATORS[condition.operator]} {value}", _LEAF


def _between(condition: Between, placeholders: Placeholders) -> _Rendered:
    operand = _term(condition.operand, placeholders)
    low, high = _term(condition.low, placeholders), _term(condition.high, placeholders)
    if condition.low == condition.high and isinstance(condition.low, Attribute):
        # The same path twice in one operator is refused (rule NUL-9).
        return f"{operand} >= {low} AND {operand} <= {high}", AND
    return f"{operand} BETWEEN {low} AND {high}", _LEAF


def _in(condition: In, placeholders: Placeholders) -> _Rendered:
    if not condition.values:
        return _or(Or(()), placeholders)
    operand = _term(condition.operand, placeholders)
    aliases = [_term(value, placeholders) for value in condition.values]
    chunks = [aliases[start : start + _IN_MOST] for start in range(0, len(aliases), _IN_MOST)]
    text = " OR ".join(f"{operand} IN ({', '.join(chunk)})" for chunk in chunks)
    return text, OR if len(chunks) > 1 else _LEAF


def _exists(condition: Exists, placeholders: Placeholders) -> _Rendered:
    return f"attribute_exists({placeholders.path(condition.path)})", _LEAF


def _not_exists(condition: NotExists, placeholders: Placeholders) -> _Rendered:
    return f"attribute_not_exists({placeholders.path(condition.path)})", _LEAF


def _is_type(condition: IsType, placeholders: Placeholders) -> _Rendered:
    path = placeholders.path(condition.path)
    return f"attribute_type({path}, {placeholders.value(TYPES[condition.type_name])})", _LEAF


def _begins_with(condition: BeginsWith, placeholders: Placeholders) -> _Rendered:
    return f"begins_with({placeholders.path(condition.path)}, {placeholders.value(condition.prefix)})", _LEAF


def _contains(condition: Contains, placeholders: Placeholders) -> _Rendered:
    return f"contains({placeholders.path(condition.path)}, {placeholders.value(condition.value)})", _LEAF


def _term(term: Any, placeholders: Placeholders) -> str:
    if isinstance(term, Attribute):
        return placeholders.path(term.path)
    if isinstance(term, Size):
        return f"size({placeholders.path(term.path)})"
    return placeholders.value(term)


_RENDERERS: Final[dict[type[Condition], Callable[[Any, Placeholders], _Rendered]]] = {
    And: _and,
    Or: _or,
    Not: _not,
    Comparison: _comparison,
    Between: _between,
    In: _in,
    Exists: _exists,
    NotExists: _not_exists,
    IsType: _is_type,
    BeginsWith: _begins_with,
    Contains: _contains,
}
