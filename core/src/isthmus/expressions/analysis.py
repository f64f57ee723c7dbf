"""What a tree refers to, its top-level parts, and its plain form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isthmus.expressions.changes import Action, Add, Append, Changes, Delete, Prepend, Remove, Set, SetFrom, SetIfAbsent
from isthmus.expressions.nodes import (
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
    check_condition,
)
from isthmus.expressions.paths import MISSING, Path


def split_conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that must all hold: the members of a top-level ``&``, none for ``ALWAYS``."""
    return condition.conditions if isinstance(condition, And) else (check_condition(condition),)


def attributes_used(tree: Condition | Changes) -> frozenset[str]:
    """The top-level names that a condition reads, or that an update reads or changes."""
    return frozenset(str(path[0]) for path in paths_used(tree))


def paths_used(tree: Condition | Changes) -> frozenset[Path]:
    """The whole paths behind :func:`attributes_used`."""
    if isinstance(tree, Changes):
        sources = {action.source for action in tree.actions if isinstance(action, SetFrom)}
        return frozenset(sources | {action.path for action in tree.actions})
    return frozenset(_condition_paths(tree))


def _condition_paths(condition: Condition) -> Iterator[Path]:
    match condition:
        case And(members) | Or(members):
            for member in members:
                yield from _condition_paths(member)
        case Not(inner):
            yield from _condition_paths(inner)
        case Comparison(operand, _, value):
            yield from _term_paths(operand, value)
        case Between(operand, low, high):
            yield from _term_paths(operand, low, high)
        case In(operand):
            yield operand.path
        case Exists(path) | NotExists(path) | IsType(path) | BeginsWith(path) | Contains(path):
            yield path
        case _:
            check_condition(condition)


def _term_paths(*terms: Any) -> Iterator[Path]:
    return (term.path for term in terms if isinstance(term, (Attribute, Size)))


def to_portable(tree: Condition | Changes) -> list[Any]:
    """The tree as lists of text, indexes and portable values: equal trees give equal lists.

    A condition is written in prefix order, ``["and", 2]`` standing before its two members, so that the lists stay
    shallow however deep the condition is. A constant is ``["value", constant]``, so that none can pass for structure.
    """
    if isinstance(tree, Changes):
        return [["changes", len(tree.actions)], *map(_action_form, tree.actions)]
    return list(_prefix_forms(tree))


def _prefix_forms(condition: Condition) -> Iterator[list[Any]]:
    match condition:
        case And(members) | Or(members):
            yield ["and" if isinstance(condition, And) else "or", len(members)]
            for member in members:
                yield from _prefix_forms(member)
        case Not(inner):
            yield ["not"]
            yield from _prefix_forms(inner)
        case _:
            yield _leaf_form(check_condition(condition))


_FUNCTIONS: dict[type[Condition], str] = {
    Exists: "exists",
    NotExists: "not_exists",
    IsType: "is_type",
    BeginsWith: "begins_with",
    Contains: "contains",
}


def _leaf_form(condition: Condition) -> list[Any]:
    match condition:
        case Comparison(operand, operator, value):
            return [operator, _term_form(operand), _term_form(value)]
        case Between(operand, low, high):
            return ["between", _term_form(operand), _term_form(low), _term_form(high)]
        case In(operand, values):
            return ["in", _term_form(operand), *map(_term_form, values)]
        case IsType(path, argument) | BeginsWith(path, argument) | Contains(path, argument):
            return [_FUNCTIONS[type(condition)], ["path", *path], ["value", argument]]
        case Exists(path) | NotExists(path):
            return [_FUNCTIONS[type(condition)], ["path", *path]]
        case _:
            raise TypeError(f"{type(condition).__name__} has no plain form")


def _term_form(term: Any) -> list[Any]:
    match term:
        case Attribute(path):
            return ["path", *path]
        case Size(path):
            return ["size", *path]
        case _:
            return ["value", term]


def _action_form(action: Action) -> list[Any]:
    target = ["path", *action.path]
    match action:
        case SetFrom(_, source, default):
            fallback = [] if default is MISSING else [["value", default]]
            return ["set_from", target, ["path", *source], *fallback]
        case Append(_, value, create):
            return ["append", target, ["value", value], create]
        case Prepend(_, value, create):
            return ["prepend", target, ["value", value], create]
        case Remove():
            return ["remove", target]
        case Set(_, value) | SetIfAbsent(_, value) | Add(_, value) | Delete(_, value):
            return [_ACTIONS[type(action)], target, ["value", value]]
        case _:
            raise TypeError(f"{type(action).__name__} has no plain form")


_ACTIONS: dict[type[Action], str] = {Set: "set", SetIfAbsent: "set_if_absent", Add: "add", Delete: "delete"}
