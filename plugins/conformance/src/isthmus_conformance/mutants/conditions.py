"""Mutants that judge conditions differently, in writes and in filters alike."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import ConditionFailed
from isthmus.evaluate import lookup, matches
from isthmus.expressions import (
    MISSING,
    And,
    Attribute,
    BeginsWith,
    Comparison,
    Condition,
    Contains,
    In,
    Not,
    Or,
    Path,
    Size,
    paths_used,
)
from isthmus.pages import take_page
from isthmus.values import Item
from isthmus_conformance.mutants.base import Changing, Images, Judge, Paging
from isthmus_conformance.mutants.registry import mutant


class Judging(Paging, Changing):
    """Conditions are judged by ``holds``, which subclasses change."""

    def holds(self, condition: Condition, item: Item) -> bool:
        """Whether the item fulfils the condition."""
        match condition:
            case And(members):
                return all(self.holds(member, item) for member in members)
            case Or(members):
                return any(self.holds(member, item) for member in members)
            case Not(inner):
                return self.denied(inner, item)
            case _:
                return self.leaf(condition, item)

    def denied(self, inner: Condition, item: Item) -> bool:
        """Whether the item fulfils ``not inner``."""
        return not self.holds(inner, item)

    def leaf(self, condition: Condition, item: Item) -> bool:
        """Whether the item fulfils one comparison or function."""
        return matches(condition, item)

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        if isinstance(action, op.Create) or action.condition is None:
            return usual(action)
        if not self.holds(action.condition, old or {}):
            raise ConditionFailed("the condition is false", current=old)
        return (old, old) if isinstance(action, op.Check) else usual(evolve(action, condition=None))

    def page(self, operation: op.Paged) -> res.Page:
        condition = operation.condition
        if condition is None or operation.max_examined is not None:
            return super().page(operation)
        rest = evolve(operation, condition=None, limit=None, projection=None, select="items")
        kept = ((item, 0) for item in super().page(rest).items if self.holds(condition, item))
        return take_page(kept, evolve(operation, condition=None))


def _found(condition: Condition, item: Item) -> Any:
    """The value that an attribute's comparison with a constant, or a function, looks at."""
    if isinstance(condition, (Contains, BeginsWith)):
        return lookup(item, condition.path)
    if isinstance(condition, Comparison) and isinstance(condition.operand, Attribute):
        return lookup(item, condition.operand.path)
    return MISSING


def _compares(condition: Condition, *operators: str) -> bool:
    return isinstance(condition, Comparison) and condition.operator in operators


def _flipped(condition: Condition, same: bool) -> bool:
    return not same if _compares(condition, "!=") else same


@mutant("NUL-3")
class UnequalNeedsAValue(Judging):
    """!= is false where the attribute is missing."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        present = all(lookup(item, path) is not MISSING for path in paths_used(condition))
        return super().leaf(condition, item) and (present or not _compares(condition, "!="))


@mutant("NUM-9")
class TrueIsOne(Judging):
    """True equals 1 and False equals 0."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if _compares(condition, "==", "!=") and isinstance(found, (bool, int)):
            assert isinstance(condition, Comparison)
            if isinstance(condition.value, (bool, int)):
                return _flipped(condition, found == condition.value)
        return super().leaf(condition, item)


@mutant("NUL-2")
class MissingIsNull(Judging):
    """A missing attribute equals null."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        if isinstance(condition, Comparison) and condition.value is None and _compares(condition, "==", "!="):
            return _flipped(condition, _found(condition, item) in (None, MISSING))
        return super().leaf(condition, item)


@mutant("NUL-5")
class NotOfUnknown(Judging):
    """not is false where an attribute is missing, as in the three-valued logic of SQL."""

    def denied(self, inner: Condition, item: Item) -> bool:
        return super().denied(inner, item) and all(lookup(item, path) is not MISSING for path in paths_used(inner))


@mutant("NUL-4")
class MissingComesFirst(Judging):
    """A missing attribute is less than everything."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        missing = any(lookup(item, path) is MISSING for path in paths_used(condition))
        return (missing and _compares(condition, "<", "<=")) or super().leaf(condition, item)


@mutant("NUL-4")
class TypesHaveAnOrder(Judging):
    """Every number is less than every string."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if isinstance(condition, Comparison) and isinstance(condition.value, str) and type(found) is int:
            return condition.operator in ("<", "<=", "!=")
        return super().leaf(condition, item)


@mutant("NUL-6")
class InLooksAtTheFirst(Judging):
    """in_ compares with its first constant only."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        return super().leaf(
            evolve(condition, values=condition.values[:1]) if isinstance(condition, In) else condition, item
        )


@mutant("COL-1")
class EqualityLooksIntoLists(Judging):
    """A list equals each of its members, as in queries of MongoDB."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if isinstance(found, list) and isinstance(condition, Comparison) and _compares(condition, "==", "!="):
            return _flipped(condition, condition.value == found or condition.value in found)
        return super().leaf(condition, item)


@mutant("COL-4")
class MapsInOrder(Judging):
    """Maps are equal only with their names in the same order."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if isinstance(found, dict) and isinstance(condition, Comparison) and isinstance(condition.value, dict):
            return _flipped(condition, list(found.items()) == list(condition.value.items()))
        return super().leaf(condition, item)


@mutant("COL-9")
class SetsEqualLists(Judging):
    """A set equals a list of the same members."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if isinstance(condition, Comparison) and {type(found), type(condition.value)} == {list, frozenset}:
            return _flipped(condition, sorted(map(repr, found)) == sorted(map(repr, condition.value)))
        return super().leaf(condition, item)


@mutant("COL-13")
class ContainsLooksIntoMembers(Judging):
    """contains finds a part of a string that is a member of a list."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        found = _found(condition, item)
        if (
            isinstance(condition, Contains)
            and isinstance(found, (list, frozenset))
            and isinstance(condition.value, str)
        ):
            return any(condition.value in member for member in found if isinstance(member, str))
        return super().leaf(condition, item)


@mutant("STR-8")
class EmptyPrefixMatchesNothing(Judging):
    """begins_with is false for the empty prefix."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        return super().leaf(condition, item) and not (isinstance(condition, BeginsWith) and not condition.prefix)


@mutant("STR-6")
class SizeInCodePoints(Judging):
    """size() of a string counts code points."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        if isinstance(condition, Comparison) and isinstance(condition.operand, Size):
            found = lookup(item, condition.operand.path)
            if isinstance(found, str):
                counted = Comparison(Attribute(("n",)), condition.operator, condition.value)
                return super().leaf(counted, {"n": len(found)})
        return super().leaf(condition, item)


@mutant("PTH-1")
class DotsArePaths(Judging):
    """A dot in an attribute's name leads into a map."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        if isinstance(condition, Comparison) and isinstance(condition.operand, Attribute):
            path = _split(condition.operand.path)
            return super().leaf(evolve(condition, operand=Attribute(path)), item)
        return super().leaf(condition, item)


def _split(path: Path) -> Path:
    parts: list[Any] = []
    for element in path:
        parts.extend(element.split(".") if isinstance(element, str) else [element])
    return tuple(parts)


@mutant("COL-2")
class IndexIsAName(Judging):
    """An index leads into a map that has the number as a name."""

    def leaf(self, condition: Condition, item: Item) -> bool:
        if isinstance(condition, Comparison) and isinstance(condition.operand, Attribute):
            path = condition.operand.path
            if isinstance(path[-1], int) and isinstance(lookup(item, path[:-1]), dict):
                return super().leaf(evolve(condition, operand=Attribute((*path[:-1], str(path[-1])))), item)
        return super().leaf(condition, item)


@mutant("CND-1")
class ConditionsNeedAnItem(Judging):
    """A condition on a missing item is false, whatever it says."""

    def holds(self, condition: Condition, item: Item) -> bool:
        return bool(item) and super().holds(condition, item)
