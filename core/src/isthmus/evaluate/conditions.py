"""What conditions mean, in plain Python: the reference for every backend.

Two-valued logic throughout. A missing value equals nothing, is different from everything and has no order; values of
two types have no order either; numbers and booleans are two types.
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from isthmus.evaluate.lookup import getter
from isthmus.expressions import (
    MISSING,
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
    Operand,
    Or,
    Size,
    check_condition,
)
from isthmus.values import Value, equal, orderable, same_order_type, type_name

Predicate = Callable[[Mapping[str, Value]], bool]
# A part of a compiled condition: the item, to a value or MISSING.
_Source = Callable[[Mapping[str, Value]], Any]
_Test = Callable[[Any], bool]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def matches(condition: Condition, item: Mapping[str, Value]) -> bool:
    """Whether the item fulfils the condition; a missing item is ``{}``."""
    return predicate(condition)(item)


def predicate(condition: Condition) -> Predicate:
    """Compile the condition into one function, for many items.

    :raises InvalidArgument: it is no condition
    """
    match condition:
        case And(members):
            return _all(tuple(map(predicate, members)))
        case Or(members):
            return _any(tuple(map(predicate, members)))
        case Not(inner):
            test = predicate(inner)
            return lambda item: not test(item)
        case _:
            return _leaf(check_condition(condition))


def _all(tests: tuple[Predicate, ...]) -> Predicate:
    def holds(item: Mapping[str, Value]) -> bool:
        # A loop costs half of what `all` with a generator does, and filters run on every scanned item.
        for test in tests:  # noqa: SIM110
            if not test(item):
                return False
        return True

    return holds


def _any(tests: tuple[Predicate, ...]) -> Predicate:
    def holds(item: Mapping[str, Value]) -> bool:
        for test in tests:  # noqa: SIM110  # as in _all
            if test(item):
                return True
        return False

    return holds


def _leaf(condition: Condition) -> Predicate:
    match condition:
        case Comparison(operand, operator, value):
            return _comparison(operand, operator, value)
        case Between(operand, low, high):
            return _all((_comparison(operand, ">=", low), _comparison(operand, "<=", high)))
        case In(operand, values):
            return _on(_source(operand), _is_one_of(values))
        case Exists(path):
            return _on(getter(path), lambda value: value is not MISSING)
        case NotExists(path):
            return _on(getter(path), lambda value: value is MISSING)
        case IsType(path, name):
            return _on(getter(path), lambda value: value is not MISSING and type_name(value) == name)
        case BeginsWith(path, prefix):
            return _on(getter(path), _begins_with(prefix))
        case Contains(path, value):
            return _on(getter(path), _contains(value))
        case _:
            raise TypeError(f"{type(condition).__name__} has no meaning")


def _on(source: _Source, test: _Test) -> Predicate:
    return lambda item: test(source(item))


def _source(operand: Operand) -> _Source:
    get = getter(operand.path)
    return (lambda item: size_of(get(item))) if isinstance(operand, Size) else get


def size_of(value: Any) -> Any:
    """The number that ``size()`` compares, or ``MISSING`` for a value without a size.

    UTF-16 code units of text, bytes of binary, members of a list, map or set.
    """
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2
    return len(value) if isinstance(value, (bytes, list, dict, frozenset)) else MISSING


def _comparison(operand: Operand, operator: str, value: Any) -> Predicate:
    source = _source(operand)
    if isinstance(value, Attribute):
        return _between_sources(source, operator, getter(value.path))
    if operator == "==":
        return _on(source, _is_equal(value))
    if operator == "!=":
        same = _is_equal(value)
        return lambda item: not same(source(item))
    return _on(source, _is_ordered(_ORDERS[operator], value))


def _between_sources(left: _Source, operator: str, right: _Source) -> Predicate:
    if operator == "==":
        return lambda item: _equal_present(left(item), right(item))
    if operator == "!=":
        return lambda item: not _equal_present(left(item), right(item))
    order = _ORDERS[operator]
    return lambda item: _ordered_present(order, left(item), right(item))


def _equal_present(left: Any, right: Any) -> bool:
    return left is not MISSING and right is not MISSING and equal(left, right)


def _ordered_present(order: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if left is MISSING or right is MISSING or not orderable(left):
        return False
    return same_order_type(left, right) and order(left, right)


def _is_equal(constant: Any) -> _Test:
    if constant is None or isinstance(constant, bool):
        return lambda value: value is constant
    if isinstance(constant, (str, bytes)):
        return lambda value: bool(value == constant)
    if isinstance(constant, (int, Decimal)):
        return lambda value: _is_number(value) and value == constant
    return lambda value: value is not MISSING and equal(value, constant)


def _is_number(value: Any) -> bool:
    # `type` and not `isinstance`: True is an int in Python, but no number here.
    return type(value) is int or type(value) is Decimal


def _is_ordered(order: Callable[[Any, Any], bool], constant: Any) -> _Test:
    if not orderable(constant):
        return lambda _: False
    if isinstance(constant, (int, Decimal)):
        return lambda value: _is_number(value) and order(value, constant)
    kind = type(constant)
    return lambda value: type(value) is kind and order(value, constant)


def _is_one_of(constants: tuple[Any, ...]) -> _Test:
    tests = tuple(map(_is_equal, constants))
    return lambda value: any(test(value) for test in tests)


def _begins_with(prefix: Any) -> _Test:
    kind = type(prefix)
    return lambda value: type(value) is kind and value.startswith(prefix)


def _contains(constant: Any) -> _Test:
    part = type(constant) if isinstance(constant, (str, bytes)) else None
    scalar = part is not None or _is_number(constant)
    same = _is_equal(constant)

    def test(value: Any) -> bool:
        if isinstance(value, list):
            return any(map(same, value))
        if isinstance(value, frozenset):
            return scalar and constant in value
        return type(value) is part and constant in value

    return test
