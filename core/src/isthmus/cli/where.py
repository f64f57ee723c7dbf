"""The condition language of ``--where``: a few forms of Python's expressions, read as a tree and never executed.

``population > 100000 and not name.begins_with("Par")``, ``location.latitude.between(-10, 10)``, ``"Lutetia" in names``,
``tags[0] == "x"``, ``country in ["FR", "DE"]``, ``names.size() >= 3``. Names that are no Python names are written
``F["a b"]``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.expressions import Condition, F, Field, SizeOf, all_of, any_of

LONGEST = 10_000
_METHODS = {"begins_with", "between", "contains", "exists", "in_", "is_type", "not_exists", "size"}
_Built = TypeVar("_Built")
_Operator = Callable[[Any, Any], Condition]
_OPERATORS: dict[type[ast.cmpop], _Operator] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def _in(operand: Any, values: Any) -> Condition:
    found: Condition = operand.in_(values)
    return found


def parse_condition(text: str) -> Condition:
    """The condition that a text describes.

    :raises InvalidArgument: the text is no condition; the message gives the column
    """
    parser, tree = _read(text, "condition", 'population > 1000 and name == "x"')
    try:
        return parser.condition(tree)
    except RecursionError:
        raise InvalidArgument("the condition is nested too deeply: simplify it") from None


def parse_fields(text: str) -> list[Field]:
    """The attributes that a text lists: ``name, location.latitude, tags[0], F["odd name"]``.

    :raises InvalidArgument: a part is no attribute; the message gives the column
    """
    parser, tree = _read(text, "selection", "name,location.latitude")
    return [parser.field(part) for part in (tree.elts if isinstance(tree, ast.Tuple) else [tree])]


def _read(text: str, what: str, example: str) -> tuple[_Parser, ast.expr]:
    if len(text) > LONGEST:
        raise InvalidArgument(f"the {what} is longer than {LONGEST} characters: shorten it")
    stripped = text.strip()
    try:
        return _Parser(stripped, what), ast.parse(stripped, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        column = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise InvalidArgument(f"the {what} can't be read{column}: write one like {example}") from None


class _Parser:
    """Walks a tree that Python parsed; whatever is not listed here is refused."""

    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what

    def condition(self, node: ast.expr) -> Condition:
        if isinstance(node, ast.BoolOp):
            join = all_of if isinstance(node.op, ast.And) else any_of
            return join([self.condition(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Call):
            found = self._call(node)
            if isinstance(found, Condition):
                return found
        raise self._refused(node, "is no condition: compare it with something, or call exists()")

    def _comparisons(self, node: ast.Compare) -> Condition:
        lefts = [node.left, *node.comparators]
        parts = [self._comparison(*part) for part in zip(lefts, node.ops, node.comparators, strict=False)]
        return all_of(parts)

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        if isinstance(operator, (ast.In, ast.NotIn)):
            found = self._membership(left, right)
            return found if isinstance(operator, ast.In) else ~found
        kind = type(operator)
        if kind not in _OPERATORS:
            raise self._refused(left, "is compared with `is`: write == or is_type()")
        if self._is_constant(left):
            left, right, kind = right, left, _MIRRORED.get(kind, kind)
        operand = self._operand(left)
        value = self._constant(right) if self._is_constant(right) else self._operand(right)
        return self._built(left, lambda: _OPERATORS[kind](operand, value))

    def _membership(self, left: ast.expr, right: ast.expr) -> Condition:
        if self._is_constant(right):
            operand, values = self._operand(left), self._constant(right)
            return self._built(left, lambda: _in(operand, values))
        field, value = self.field(right), self._constant(left)
        return self._built(left, lambda: field.contains(value))

    def _call(self, node: ast.Call) -> Any:
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in _METHODS or node.keywords:
            raise self._refused(node, f"is not one of the methods {', '.join(sorted(_METHODS))}")
        owner = self._operand(function.value)
        method = getattr(type(owner), function.attr, None)
        if method is None:
            raise self._refused(node, "can't be asked that")
        arguments = [self._constant(argument) for argument in node.args]
        return self._built(node, lambda: method(owner, *arguments))

    def _operand(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Call):
            found = self._call(node)
            if not isinstance(found, SizeOf):
                raise self._refused(node, "is a condition already")
            return found
        return self.field(node)

    def field(self, node: ast.expr) -> Field:
        if isinstance(node, ast.Name) and node.id != "F":
            return F[node.id]
        owner, element = self._step(node)
        if isinstance(owner, ast.Name) and owner.id == "F":
            if not isinstance(element, str):
                raise self._refused(node, 'needs a name: write F["name"]')
            return self._built(node, lambda: F[element])
        field = self.field(owner)
        return self._built(node, lambda: field[element])

    def _step(self, node: ast.expr) -> tuple[ast.expr, str | int]:
        """The last step of a path, and what stands before it."""
        if isinstance(node, ast.Attribute):
            return node.value, node.attr
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            element = node.slice.value
            if type(element) is str or type(element) is int:
                return node.value, element
        raise self._refused(node, "is no attribute: write a name, a.b or a[0]")

    def _is_constant(self, node: ast.expr) -> bool:
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, (ast.USub, ast.UAdd)) and self._is_constant(node.operand)
        return isinstance(node, (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict))

    def _constant(self, node: ast.expr) -> Any:
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._constant(element) for element in node.elts]
        if isinstance(node, ast.Set):
            return self._built(node, lambda: frozenset(self._constant(element) for element in node.elts))
        if isinstance(node, ast.Dict):
            return {self._constant(name): self._constant(value) for name, value in self._entries(node)}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._constant(node.operand)
            if type(value) is int or isinstance(value, Decimal):
                return -value
        if isinstance(node, ast.Constant) and not isinstance(node.value, complex) and node.value is not ...:
            # A float would lose digits: the number is read from the text again.
            return Decimal(self._source(node)) if isinstance(node.value, float) else node.value
        raise self._refused(node, "is no constant")

    def _entries(self, node: ast.Dict) -> list[tuple[ast.expr, ast.expr]]:
        for name in node.keys:
            if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                raise self._refused(node, "needs texts as names")
        return [(name, value) for name, value in zip(node.keys, node.values, strict=True) if name is not None]

    def _built(self, node: ast.expr, build: Callable[[], _Built]) -> _Built:
        try:
            return build()
        except (IsthmusError, TypeError) as error:
            reason = error.message if isinstance(error, IsthmusError) else "has the wrong number or kind of arguments"
            raise self._refused(node, reason) from None

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text, node) or ast.unparse(node)

    def _refused(self, node: ast.expr, reason: str) -> InvalidArgument:
        return InvalidArgument(
            f"in the {self._what}, column {node.col_offset + 1}: {self._source(node)[:60]!r} {reason}"
        )
