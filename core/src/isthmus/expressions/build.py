"""Checked construction of conditions: what no store can mean is refused here, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.errors import InvalidArgument
from isthmus.expressions.nodes import (
    NEVER,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Contains,
    Exists,
    In,
    IsType,
    NotExists,
    Operand,
    Size,
)
from isthmus.expressions.paths import Path, path_text
from isthmus.hints import nearest
from isthmus.values import TYPE_NAMES, normalise, orderable, same_order_type, type_name


def compare(operand: Operand, operator: str, value: Any) -> Condition:
    """A comparison with a constant or an :class:`Attribute`.

    :raises InvalidArgument: an order that the constant does not have, or an attribute compared with itself
    :raises InvalidValue: the constant is outside the portable value model
    """
    if type(value) is type(operand) and value == operand:
        return _same_path(operand, operator)
    term = _term(operand, value, ordered=operator not in ("==", "!="))
    return Comparison(operand, operator, term)


def between(operand: Operand, low: Any, high: Any) -> Condition:
    """A range with both ends included; ends in the wrong order, or of two types, match nothing.

    :raises InvalidArgument: an end has no order, or is the operand itself
    """
    if any(type(end) is type(operand) and end == operand for end in (low, high)):
        raise InvalidArgument(f"{operand!r} can't be an end of its own range; compare it with other attributes.")
    low, high = _term(operand, low, ordered=True), _term(operand, high, ordered=True)
    constant = not isinstance(low, Attribute) and not isinstance(high, Attribute)
    if constant and (not same_order_type(low, high) or low > high):
        return NEVER
    return Between(operand, low, high)


def in_values(operand: Operand, values: Iterable[Any]) -> Condition:
    """Equality with one of the constants; no constants match nothing.

    :raises InvalidArgument: ``values`` is text, bytes or no iterable, or has an attribute
    """
    constants = [_constant("in_()", value) for value in check_values(values)]
    return In(operand, tuple(_term(operand, value, ordered=False) for value in constants)) if constants else NEVER


def check_values(values: Any) -> Iterable[Any]:
    """Return the argument when it is an iterable of several values.

    :raises InvalidArgument: it is text, bytes, a mapping or no iterable
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InvalidArgument(f"in_() takes a list of values, not {type(values).__name__}; write in_([value]).")
    return values


def exists(path: Path) -> Condition:
    """There is a value at the path, null included."""
    return Exists(path)


def not_exists(path: Path) -> Condition:
    """There is no value at the path."""
    return NotExists(path)


def is_type(path: Path, name: str) -> Condition:
    """The value has this type.

    :raises InvalidArgument: no such type; the message names the nearest one
    """
    if name not in TYPE_NAMES:
        near = nearest(str(name), TYPE_NAMES, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(sorted(TYPE_NAMES))}."
        raise InvalidArgument(f"There is no type {name!r}; {hint}")
    return IsType(path, name)


def begins_with(path: Path, prefix: Any) -> Condition:
    """Text or bytes that begin with the prefix; an empty prefix fits every value of its type.

    :raises InvalidArgument: the prefix is neither text nor bytes
    """
    constant = normalise(_constant("begins_with()", prefix))
    if not isinstance(constant, (str, bytes)):
        raise InvalidArgument(f"begins_with() takes text or bytes, not a {type_name(constant)}.")
    return BeginsWith(path, constant)


def contains(path: Path, value: Any) -> Condition:
    """Text or bytes with this part, a list or set with this member.

    :raises InvalidArgument: the value is an attribute
    """
    return Contains(path, normalise(_constant("contains()", value)))


def _same_path(operand: Operand, operator: str) -> Condition:
    # Stores refuse the same path twice in one operator, but equality with oneself has a plain meaning.
    if operator in ("==", "!=") and isinstance(operand, Attribute):
        return Exists(operand.path) if operator == "==" else NotExists(operand.path)
    raise InvalidArgument(f"{operand!r} is compared with itself; compare it with a value or another attribute.")


def _term(operand: Operand, value: Any, *, ordered: bool) -> Any:
    if isinstance(value, Attribute):
        return value
    if isinstance(value, Size):
        raise InvalidArgument("size() stands on the left only; compare it with a number or an attribute.")
    constant = normalise(value)
    _check_constant(operand, constant, ordered)
    return constant


def _check_constant(operand: Operand, constant: Any, ordered: bool) -> None:
    kind = type_name(constant)
    if isinstance(operand, Size) and kind != "number":
        raise InvalidArgument(f"{path_text(operand.path)}.size() is compared with a number, not with a {kind}.")
    if ordered and not orderable(constant):
        raise InvalidArgument(
            f"{path_text(operand.path)} can't be ordered against a {kind}; only numbers, strings and binary have an"
            " order. Use == or !=."
        )


def _constant(function: str, value: Any) -> Any:
    if isinstance(value, (Attribute, Size)):
        raise InvalidArgument(f"{function} takes constants, not attributes; use == and | to compare attributes.")
    return value
