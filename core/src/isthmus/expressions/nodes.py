"""Condition trees: frozen nodes, their combination with ``&``, ``|`` and ``~``, and their text.

Build them with :data:`isthmus.expressions.F`; the functions of :mod:`isthmus.expressions.build` check what they are
given, while the nodes hold what a checked tree consists of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from attrs import field, frozen

from isthmus.errors import InvalidArgument, QueryTooComplex
from isthmus.expressions.paths import Path, is_plain_name
from isthmus.expressions.typed import typed_key, value_text

MAX_OPERATORS = 300

# Names that are methods of a field, so `F.a.size` can't mean the attribute "size" of the map "a".
FIELD_METHODS = frozenset(
    {"between", "in_", "exists", "not_exists", "is_type", "begins_with", "contains", "size"},
)


def reference_text(path: Path) -> str:
    """The path as builder syntax: ``F.tags[0]``, ``F["a.b"]``."""
    text = "F"
    for position, element in enumerate(path):
        plain = isinstance(element, str) and is_plain_name(element) and (not position or element not in FIELD_METHODS)
        text += f".{element}" if plain else f"[{element!r}]"
    return text


@frozen(repr=False)
class Attribute:
    """A reference to the value at a path."""

    path: Path

    def __repr__(self) -> str:
        return reference_text(self.path)


@frozen(repr=False)
class Size:
    """The size of the value at a path: UTF-16 code units of a string, bytes of binary, members of the others."""

    path: Path

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.size()"


Operand = Attribute | Size


class Condition:
    """Base of all conditions. Combine with ``&`` (and), ``|`` (or) and ``~`` (not)."""

    __slots__ = ()

    def __and__(self, other: Condition) -> Condition:
        return all_of((self, other))

    def __or__(self, other: Condition) -> Condition:
        return any_of((self, other))

    def __invert__(self) -> Condition:
        return negate(self)

    def __bool__(self) -> NoReturn:
        raise InvalidArgument(
            "A condition has no truth value in Python. Join conditions with & | ~ instead of and, or, not; write"
            " (F.a > 1) & (F.a < 9) or F.a.between(1, 9) instead of 1 < F.a < 9; and F.a.in_(values) or"
            " F.a.contains(value) instead of in."
        )

    # What `__bool__` tells is only half of it: the usual slip is a missing pair of parentheses.
    def __rand__(self, other: object) -> NoReturn:
        _refuse_member(other)

    def __ror__(self, other: object) -> NoReturn:
        _refuse_member(other)


@frozen(repr=False)
class Comparison(Condition):
    """``operand operator value``; the value is a constant or another attribute.

    ``operator`` is one of ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``.
    """

    operand: Operand
    operator: str
    value: Any = field(eq=typed_key)

    def __repr__(self) -> str:
        return f"{self.operand!r} {self.operator} {value_text(self.value)}"


@frozen(repr=False)
class Between(Condition):
    """``low <= operand <= high``, both ends included; each end is a constant or another attribute."""

    operand: Operand
    low: Any = field(eq=typed_key)
    high: Any = field(eq=typed_key)

    def __repr__(self) -> str:
        return f"{self.operand!r}.between({value_text(self.low)}, {value_text(self.high)})"


@frozen(repr=False)
class In(Condition):
    """The operand equals one of the constants."""

    operand: Operand
    values: tuple[Any, ...] = field(eq=typed_key)

    def __repr__(self) -> str:
        return f"{self.operand!r}.in_({value_text(list(self.values))})"


@frozen(repr=False)
class Exists(Condition):
    """There is a value at the path; null is a value."""

    path: Path

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.exists()"


@frozen(repr=False)
class NotExists(Condition):
    """There is no value at the path."""

    path: Path

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.not_exists()"


@frozen(repr=False)
class IsType(Condition):
    """The value at the path has this portable type; a missing one has none."""

    path: Path
    type_name: str

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.is_type({self.type_name!r})"


@frozen(repr=False)
class BeginsWith(Condition):
    """The value at the path is of the prefix's type and begins with it; the prefix is text or bytes."""

    path: Path
    prefix: str | bytes = field(eq=typed_key)

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.begins_with({self.prefix!r})"


@frozen(repr=False)
class Contains(Condition):
    """The value at the path is text or bytes with this part, or a list or set with this member."""

    path: Path
    value: Any = field(eq=typed_key)

    def __repr__(self) -> str:
        return f"{reference_text(self.path)}.contains({value_text(self.value)})"


@frozen(repr=False)
class And(Condition):
    """All conditions hold; none at all is true."""

    conditions: tuple[Condition, ...]

    def __repr__(self) -> str:
        return " & ".join(map(_member_text, self.conditions)) or "ALWAYS"


@frozen(repr=False)
class Or(Condition):
    """At least one condition holds; none at all is false."""

    conditions: tuple[Condition, ...]

    def __repr__(self) -> str:
        return " | ".join(map(_member_text, self.conditions)) or "NEVER"


@frozen(repr=False)
class Not(Condition):
    """The condition does not hold. Two-valued: it is true wherever the inner condition is false."""

    condition: Condition

    def __repr__(self) -> str:
        return f"~{_member_text(self.condition)}"


ALWAYS = And(())
NEVER = Or(())


def _member_text(condition: Condition) -> str:
    bare = not isinstance(condition, (Comparison, And, Or)) or condition in (ALWAYS, NEVER)
    return repr(condition) if bare else f"({condition!r})"


def all_of(conditions: Iterable[Condition]) -> Condition:
    """The conjunction, simplified: nested ones are flattened, a single member stands alone, NEVER decides.

    :raises InvalidArgument: a member is no condition
    :raises QueryTooComplex: the result has more than 300 operators
    """
    members = _members(conditions, And)
    if NEVER in members:
        return NEVER
    return members[0] if len(members) == 1 else _bounded(And(members))


def any_of(conditions: Iterable[Condition]) -> Condition:
    """The disjunction, simplified as in :func:`all_of`; ALWAYS decides.

    :raises InvalidArgument: a member is no condition
    :raises QueryTooComplex: the result has more than 300 operators
    """
    members = _members(conditions, Or)
    if ALWAYS in members:
        return ALWAYS
    return members[0] if len(members) == 1 else _bounded(Or(members))


def negate(condition: Condition) -> Condition:
    """The negation; a double one cancels out.

    :raises InvalidArgument: the argument is no condition
    :raises QueryTooComplex: the result has more than 300 operators
    """
    match check_condition(condition):
        case Not(inner):
            return inner
        case And(()):
            return NEVER
        case Or(()):
            return ALWAYS
        case other:
            return _bounded(Not(other))


def check_condition(condition: object) -> Condition:
    """Return the argument when it is a condition, or what it gives as one by ``__condition__``.

    :raises InvalidArgument: it is something else
    """
    if isinstance(condition, Condition):
        return condition
    convert = getattr(type(condition), "__condition__", None)
    if convert is None:
        _refuse_member(condition)
    converted: Condition = convert(condition)
    return converted


def condition_operators(condition: Condition) -> int:
    """How many operators the condition has: each comparison, ``in``, function, ``&``, ``|`` and ``~`` counts one."""
    match condition:
        case And(members) | Or(members):
            return max(len(members) - 1, 0) + sum(map(condition_operators, members))
        case Not(inner):
            return 1 + condition_operators(inner)
        case Comparison(Size()) | Between(Size()) | In(Size()):
            return 2
        case _:
            return 1


def _members(conditions: Iterable[Condition], kind: type[And | Or]) -> tuple[Condition, ...]:
    members: list[Condition] = []
    for condition in conditions:
        if isinstance(condition, kind):
            members.extend(condition.conditions)
        else:
            members.append(check_condition(condition))
    return tuple(members)


def _bounded(condition: Condition) -> Condition:
    count = condition_operators(condition)
    if count > MAX_OPERATORS:
        raise QueryTooComplex(
            f"The condition has {count} operators; at most {MAX_OPERATORS} are allowed. Use in_() for alternatives of"
            " one attribute, or split the query."
        )
    return condition


def _refuse_member(other: object) -> NoReturn:
    raise InvalidArgument(
        f"Expected a condition such as F.age >= 18, not {type(other).__name__}. Put each comparison in parentheses:"
        " (F.a == 1) & (F.b == 2)."
    )
