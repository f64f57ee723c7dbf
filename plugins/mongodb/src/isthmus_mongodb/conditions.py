"""Conditions as exact aggregation expressions.

The expression of a condition has the meaning of :func:`isthmus.evaluate.matches`, given that its *guards* hold too:
they exclude what the server can't tell, which is the order and the parts of binary values (rules BIN-1, BIN-4). Where a
guard is false, the evaluator has to look at the item.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from attrs import define, field, frozen

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
    Operand,
    Or,
    Path,
    Size,
)
from isthmus.values import successor_prefix, value_size
from isthmus_mongodb.expressions import (
    DEEPEST,
    FALSE,
    REMOVED,
    TRUE,
    Expression,
    Reader,
    all_of,
    any_of,
    depth,
    has_type,
    is_list,
    is_map,
    is_missing,
    is_numeric,
    is_present,
    is_set,
    literal,
    members,
    negated,
)
from isthmus_mongodb.values import encode_value

_LARGEST: Final = 500_000
"""Bytes of constants by the contract's formula; as BSON, and twice, they stay below the 16 MB of a command."""

OPERATORS: Final = {"==": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_TESTS: Final[dict[str, Callable[[Expression], Expression]]] = {
    "null": lambda value: has_type(value, "null"),
    "boolean": lambda value: has_type(value, "bool"),
    "number": is_numeric,
    "string": lambda value: has_type(value, "string"),
    "binary": lambda value: has_type(value, "binData"),
    "list": is_list,
    "map": is_map,
    "string_set": lambda value: is_set(value, "%SS"),
    "number_set": lambda value: is_set(value, "%NS"),
    "binary_set": lambda value: is_set(value, "%BS"),
}


@frozen
class Test:
    """A condition for the server: ``value`` is exact wherever all ``guards`` hold."""

    value: Expression
    guards: list[Expression]


def test_of(condition: Condition, reader: Reader) -> Test | None:
    """The condition as an expression, or ``None`` when it is nested too deeply or too large for the server."""
    if _constant_bytes(condition) > _LARGEST:
        return None
    builder = _Builder(reader)
    value = builder.condition(condition)
    return None if depth(value) > DEEPEST else Test(value, builder.guards)


def _constant_bytes(condition: Condition) -> int:
    """The size of a condition's constants, as items are measured."""
    match condition:
        case And(inner) | Or(inner):
            return sum(map(_constant_bytes, inner))
        case Not(one):
            return _constant_bytes(one)
        case In(_, values):
            return sum(map(value_size, values))
        case Comparison(_, _, value) | Contains(_, value):
            return 0 if isinstance(value, Attribute) else value_size(value)
        case Between(_, low, high):
            return sum(value_size(end) for end in (low, high) if not isinstance(end, Attribute))
        case BeginsWith(_, prefix):
            return value_size(prefix)
        case _:
            return 0


@define
class _Builder:
    """Builds the expression of one condition, and collects its guards."""

    reader: Reader
    guards: list[Expression] = field(factory=list)

    def condition(self, condition: Condition) -> Expression:
        match condition:
            case And(inner):
                return all_of(map(self.condition, inner)) if inner else TRUE
            case Or(inner):
                return any_of(map(self.condition, inner)) if inner else FALSE
            case Not(inner):
                return negated(self.condition(inner))
            case Comparison(operand, operator, value):
                return self.comparison(operand, operator, value)
            case Between(operand, low, high):
                return all_of([self.comparison(operand, ">=", low), self.comparison(operand, "<=", high)])
            case In(operand, values):
                return self.one_of(operand, values)
            case _:
                return self.function(condition)

    def function(self, condition: Condition) -> Expression:
        match condition:
            case Exists(path):
                return is_present(self.reader.at(path))
            case NotExists(path):
                return is_missing(self.reader.at(path))
            case IsType(path, name):
                return self.is_type(path, name)
            case BeginsWith(path, prefix):
                return self.begins_with(path, prefix)
            case Contains(path, value):
                return self.contains(path, value)
            case _:
                raise TypeError(f"{type(condition).__name__} has no meaning")

    # ---- comparisons ----

    def comparison(self, operand: Operand, operator: str, value: Any) -> Expression:
        if operator == "!=":
            return negated(self.comparison(operand, "==", value))
        if isinstance(value, Attribute):
            return self.with_attribute(operand, operator, value.path)
        if isinstance(operand, Size):
            return _compared(self.size(operand.path), operator, value) if operator == "==" or _number(value) else FALSE
        if self.reader.binary_key(operand.path) is not None:
            hexadecimal = value.hex() if isinstance(value, bytes) else None
            return FALSE if hexadecimal is None else _compared(self.reader.at(operand.path), operator, hexadecimal)
        found = self.reader.at(operand.path)
        if operator != "==" and isinstance(value, bytes):
            return self.not_binary(found)
        return _compared(found, operator, value)

    def with_attribute(self, operand: Operand, operator: str, path: Path) -> Expression:
        other = self.reader.at(path)
        if self.reader.binary_key(path) is not None or self.reader.binary_key(operand.path) is not None:
            self.guards.append(FALSE)
            return FALSE
        found = self.size(operand.path) if isinstance(operand, Size) else self.reader.at(operand.path)
        if operator == "==":
            return all_of([is_present(found), {"$eq": [found, other]}])
        ordered = {OPERATORS[operator]: [found, other]}
        numbers = all_of([is_numeric(found), is_numeric(other), ordered])
        if isinstance(operand, Size):
            return numbers
        self.guards.append(negated(all_of([has_type(found, "binData"), has_type(other, "binData")])))
        return any_of([numbers, all_of([has_type(found, "string"), has_type(other, "string"), ordered])])

    def one_of(self, operand: Operand, values: tuple[Any, ...]) -> Expression:
        if isinstance(operand, Size):
            return {"$in": [self.size(operand.path), literal([encode_value(value) for value in values])]}
        if self.reader.binary_key(operand.path) is not None:
            values = tuple(value.hex() for value in values if isinstance(value, bytes))
        return {"$in": [self.reader.at(operand.path), literal([encode_value(value) for value in values])]}

    def not_binary(self, found: Expression) -> Expression:
        """False, and for the evaluator where the value is binary."""
        self.guards.append(negated(has_type(found, "binData")))
        return FALSE

    # ---- functions ----

    def is_type(self, path: Path, name: str) -> Expression:
        if self.reader.binary_key(path) is not None:
            return is_present(self.reader.at(path)) if name == "binary" else FALSE
        return _TESTS[name](self.reader.at(path))

    def begins_with(self, path: Path, prefix: str | bytes) -> Expression:
        found = self.reader.at(path)
        if self.reader.binary_key(path) is not None:
            return _begins_with(found, prefix.hex()) if isinstance(prefix, bytes) else FALSE
        return self.not_binary(found) if isinstance(prefix, bytes) else _begins_with(found, prefix)

    def contains(self, path: Path, value: Any) -> Expression:
        found, stored = self.reader.at(path), literal(encode_value(value))
        if self.reader.binary_key(path) is not None:
            self.guards.append(FALSE)
            return FALSE
        tests = [{"$in": [stored, _if(is_list(found), found, literal([]))]}]
        if isinstance(value, str):
            text = _if(has_type(found, "string"), found, literal(""))
            tests.append(all_of([has_type(found, "string"), {"$gte": [{"$indexOfCP": [text, stored]}, 0]}]))
        if isinstance(value, bytes):
            tests.append(self.not_binary(found))
        tag = (
            "%SS" if isinstance(value, str) else "%BS" if isinstance(value, bytes) else "%NS" if _number(value) else ""
        )
        if tag:
            tests.append({"$in": [stored, _if(is_set(found, tag), members(found, tag), literal([]))]})
        return any_of(tests)

    def size(self, path: Path) -> Expression:
        found = self.reader.at(path)
        if self.reader.binary_key(path) is not None:
            return _if(is_present(found), {"$divide": [{"$strLenBytes": {"$ifNull": [found, ""]}}, 2]}, REMOVED)
        sets = [
            _case(is_set("$$value", tag), {"$size": members("$$value", tag)}) for tag in ("%SS", "%NS", "%BS")
        ]  # fmt: skip
        branches = [
            _case(has_type("$$value", "string"), _utf16_length("$$value")),
            _case(has_type("$$value", "binData"), {"$binarySize": "$$value"}),
            _case(is_list("$$value"), {"$size": "$$value"}),
            *sets,
            _case(has_type("$$value", "object"), {"$size": {"$objectToArray": "$$value"}}),
        ]
        return {"$let": {"vars": {"value": found}, "in": {"$switch": {"branches": branches, "default": REMOVED}}}}


def _number(value: Any) -> bool:
    return type(value) is int or type(value) is Decimal


def _compared(found: Expression, operator: str, value: Any) -> Expression:
    test = {OPERATORS[operator]: [found, literal(encode_value(value))]}
    if operator == "==":
        return test
    if _number(value):
        return all_of([is_numeric(found), test])
    return all_of([has_type(found, "string"), test]) if isinstance(value, str) else FALSE


def _begins_with(found: Expression, prefix: str) -> Expression:
    above = successor_prefix(prefix)
    below = [] if above is None else [{"$lt": [found, literal(above)]}]
    return all_of([has_type(found, "string"), {"$gte": [found, literal(prefix)]}, *below])


def _utf16_length(text: Expression) -> Expression:
    """The UTF-16 code units of a string (rule STR-6): its characters, and one more for each of four bytes."""
    characters = {"$strLenCP": text}
    each = {"$map": {"input": {"$range": [0, characters]}, "as": "i", "in": {"$substrCP": [text, "$$i", 1]}}}
    four = {"$filter": {"input": each, "as": "c", "cond": {"$eq": [{"$strLenBytes": "$$c"}, 4]}}}
    # Most strings are ASCII, which two lengths tell without a look at each character.
    return _if({"$eq": [characters, {"$strLenBytes": text}]}, characters, {"$add": [characters, {"$size": four}]})


def _if(test: Expression, then: Expression, otherwise: Expression) -> Expression:
    return {"$cond": [test, then, otherwise]}


def _case(test: Expression, then: Expression) -> Expression:
    return {"case": test, "then": then}
