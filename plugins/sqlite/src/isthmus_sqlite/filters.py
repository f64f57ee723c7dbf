"""Conditions as SQL over the item's JSON text.

Each condition becomes a predicate that holds wherever the condition does. It is exact where it holds nowhere else; only
then can it be negated, counted by SQL, or go without a second look by the evaluator. It is 0 or 1, never NULL.

The text of a value as ``dumps`` writes it is unique, but for the order of names in a map, so equality is equality of
texts. ``->`` gives that text unchanged, while ``json_extract`` loses digits and ends strings at NUL: for such values
order falls back to a function in Python.
"""

from __future__ import annotations

import math
import operator as operators
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from attrs import frozen

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
    Path,
)
from isthmus.values import Value, dumps, loads_trusted

# Names that stand unchanged in JSON and in a JSON path, and can't be a tag of the JSON form.
_PLAIN = re.compile(r'[^$"\\\x00-\x1f\x7f][^"\\\x00-\x1f\x7f]*')
_LARGEST_INDEX = 1_000_000
_INT64 = 2**63
# SQLite's parser overflows at about 90 nested parentheses, and a statement has at most 32,766 parameters.
_DEEPEST = 30
_MOST_PARAMS = 20_000
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
_COUNTED = {"list": "array", "null": "null", "string": "text"}
_FUNCTION = "isthmus_order"


@frozen
class Predicate:
    """SQL text with its parameters, and whether it is exact."""

    sql: str
    params: tuple[Any, ...] = ()
    exact: bool = True


_TRUE, _FALSE, _MAYBE = Predicate("1"), Predicate("0"), Predicate("1", exact=False)


def compile_condition(condition: Condition) -> Predicate:
    """The predicate of a condition, over a column ``item``."""
    predicate = _compiled(condition, 0)
    return predicate if len(predicate.params) <= _MOST_PARAMS else _MAYBE


def _compiled(condition: Condition, depth: int) -> Predicate:
    if depth > _DEEPEST:
        return _MAYBE
    match condition:
        case And(members):
            return _join(" AND ", [_compiled(member, depth + 1) for member in members], _TRUE)
        case Or(members):
            return _join(" OR ", [_compiled(member, depth + 1) for member in members], _FALSE)
        case Not(inner):
            return _negated(_compiled(inner, depth + 1))
        case _:
            return _leaf(condition)


def _join(word: str, members: Sequence[Predicate], empty: Predicate) -> Predicate:
    if not members:
        return empty
    sql = "(" + word.join(member.sql for member in members) + ")"
    params = tuple(param for member in members for param in member.params)
    return Predicate(sql, params, all(member.exact for member in members))


def _negated(predicate: Predicate) -> Predicate:
    """The negation; that of a superset would leave out items, so anything may match then."""
    return Predicate(f"NOT {predicate.sql}", predicate.params) if predicate.exact else _MAYBE


def _leaf(condition: Condition) -> Predicate:  # noqa: PLR0911  # a table
    match condition:
        case Comparison(Attribute(path), operator, value) if not isinstance(value, Attribute):
            return _compared(path, operator, value)
        case Between(Attribute(path), low, high) if not isinstance(low, Attribute) and not isinstance(high, Attribute):
            return _join(" AND ", [_compared(path, ">=", low), _compared(path, "<=", high)], _TRUE)
        case In(Attribute(path), values):
            return _at(path, lambda place: _join(" OR ", _equals(place, values), _FALSE))
        case Exists(path):
            return _at(path, lambda place: Predicate("json_type(item, ?) IS NOT NULL", (place,)))
        case NotExists(path):
            return _at(path, lambda place: Predicate("json_type(item, ?) IS NULL", (place,)))
        case IsType(path, name):
            return _at(path, lambda place: _has_type(place, name))
        case BeginsWith(path, prefix):
            return _at(path, lambda place: _begins(place, prefix))
        case Contains(path, value):
            return _at(path, lambda place: _contains(place, value))
        case _:
            return _MAYBE


def _at(path: Path, build: Callable[[str], Predicate]) -> Predicate:
    place = json_path(path)
    return _MAYBE if place is None else build(place)


def json_path(path: Path) -> str | None:
    """The path in SQLite's notation, or ``None`` if it can't be written there."""
    text = "$"
    for element in path:
        if isinstance(element, int):
            if element > _LARGEST_INDEX:
                return None
            text += f"[{element}]"
        elif _PLAIN.fullmatch(element):
            text += f'."{element}"'
        else:
            return None
    return text


def _compared(path: Path, operator: str, value: Value) -> Predicate:
    if operator == "==":
        return _at(path, lambda place: _equal(place, value))
    if operator == "!=":
        return _at(path, lambda place: _negated(_equal(place, value)))
    return _at(path, lambda place: _ordered(place, operator, value))


# ---- equality ----


def _equal(place: str, value: Value) -> Predicate:
    if not _one_text(value):
        kind = "array" if isinstance(value, list) else "object"
        return Predicate(f"json_type(item, ?) IS '{kind}'", (place,), exact=False)
    return Predicate("((item -> ?) IS ?)", (place, dumps(value)))


def _one_text(value: Value) -> bool:
    """Whether all equal values have the same text: maps with several names may have them in any order."""
    if isinstance(value, dict):
        return len(value) < 2 and all(map(_one_text, value.values()))
    return all(map(_one_text, value)) if isinstance(value, list) else True


def _equals(place: str, values: Sequence[Value]) -> list[Predicate]:
    plain = [dumps(value) for value in values if _one_text(value)]
    # Of maps only the kind is compared, once for all of them.
    rest = list(dict.fromkeys(_equal(place, value) for value in values if not _one_text(value)))
    if not plain:
        return rest
    marks = ", ".join("?" * len(plain))
    return [Predicate(f"ifnull((item -> ?) IN ({marks}), 0)", (place, *plain)), *rest]


# ---- order ----


def _ordered(place: str, operator: str, value: Value) -> Predicate:
    if isinstance(value, str):
        return _ordered_text(place, operator, value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _ordered_number(place, operator, value)
    if isinstance(value, bytes):
        return Predicate("json_type(item, ?) IS 'object'", (place,), exact=False)
    return _FALSE


def _ordered_text(place: str, operator: str, value: str) -> Predicate:
    sql = (
        "(CASE WHEN json_type(item, ?) IS NOT 'text' THEN 0"
        f" WHEN instr(item -> ?, '\\u0000') THEN {_FUNCTION}(item -> ?, ?, ?)"
        f" ELSE json_extract(item, ?) {operator} ? END)"
    )
    return Predicate(sql, (place, place, place, operator, dumps(value), place, value))


def _ordered_number(place: str, operator: str, value: int | Decimal) -> Predicate:
    bound = math.ceil(value) if operator in ("<", ">=") else math.floor(value)
    slow = f"{_FUNCTION}(item -> ?, ?, ?)"
    slow_params = (place, operator, dumps(value))
    # SQLite has integers of 64 bits; longer ones become floats, which still lie beyond every bound inside.
    if not -_INT64 < bound < _INT64:
        sql = f"(CASE WHEN ifnull(json_type(item, ?), '') IN ('integer', 'real') THEN {slow} ELSE 0 END)"
        return Predicate(sql, (place, *slow_params))
    sql = (
        f"(CASE json_type(item, ?) WHEN 'integer' THEN json_extract(item, ?) {operator} ?"
        f" WHEN 'real' THEN {slow} ELSE 0 END)"
    )
    return Predicate(sql, (place, place, bound, *slow_params))


def order(text: str, operator: str, constant: str) -> bool:
    """Compare two JSON texts of one type: the SQL function behind what SQLite can't compare itself."""
    return _ORDERS[operator](loads_trusted(text), loads_trusted(constant))


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = ((_FUNCTION, 3, order),)


# ---- the rest ----


def _has_type(place: str, name: str) -> Predicate:
    if name in _COUNTED:
        return Predicate(f"json_type(item, ?) IS '{_COUNTED[name]}'", (place,))
    if name in ("number", "boolean"):
        kinds = "'integer', 'real'" if name == "number" else "'true', 'false'"
        return Predicate(f"ifnull(json_type(item, ?), '') IN ({kinds})", (place,))
    # Maps, sets and binary values are all objects; the evaluator tells them apart.
    return Predicate("json_type(item, ?) IS 'object'", (place,), exact=False)


def _begins(place: str, prefix: str | bytes) -> Predicate:
    if isinstance(prefix, bytes):
        return Predicate("json_type(item, ?) IS 'object'", (place,), exact=False)
    # Each character has one form in the text and none begins another, so texts begin with one another as strings do.
    opening = dumps(prefix)[:-1]
    return Predicate(f"(substr(item -> ?, 1, {len(opening)}) IS ?)", (place, opening))


def _contains(place: str, value: Value) -> Predicate:
    """Strings, lists and sets that hold the value also hold its text."""
    if isinstance(value, bytes):
        return Predicate("ifnull(json_type(item, ?), '') IN ('object', 'array')", (place,), exact=False)
    if not _one_text(value):
        return Predicate("json_type(item, ?) IS 'array'", (place,), exact=False)
    part = dumps(value)[1:-1] if isinstance(value, str) else dumps(value)
    return Predicate("(ifnull(instr(item -> ?, ?), 0) > 0)", (place, part), exact=False)
