"""Update trees: what one update does to an item, checked before anything is sent.

Every right-hand side reads the item as it was before the update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Attribute as AttrsAttribute
from attrs import field, frozen

from isthmus.errors import InvalidArgument
from isthmus.expressions.fields import Field, path_of, targets_of
from isthmus.expressions.paths import MISSING, Path, PathTree, check_path, path_text
from isthmus.expressions.typed import typed_key
from isthmus.values import RESERVED_PREFIX, normalise, type_name

Target = str | Field
# Keys are targets. Type checkers hold a mapping's keys invariant, so ``Mapping[Target, Any]`` would refuse a plain
# ``dict[str, int]``; the keys are checked at run time.
Targets = Mapping[Any, Any]

_SETS = ("string_set", "number_set", "binary_set")


def _takes(*types: str) -> Any:
    """A validator that accepts only these portable types."""

    def check(action: Any, _: AttrsAttribute[Any], value: Any) -> None:
        if type_name(value) not in types:
            raise InvalidArgument(
                f"{type(action).__name__} of {path_text(action.path)} takes a {' or '.join(types)}, not a"
                f" {type_name(value)}."
            )

    return check


def _optional(value: Any) -> Any:
    return value if value is MISSING else normalise(value)


@frozen
class Action:
    """Base of what an update does at one path."""

    path: Path = field(converter=check_path)


@frozen
class Set(Action):
    """Put the value at the path; a list index past the end appends."""

    value: Any = field(converter=normalise, eq=typed_key)


@frozen
class SetFrom(Action):
    """Copy what is at ``source``; where nothing is, ``default``, or an error without one."""

    source: Path = field(converter=check_path)
    default: Any = field(default=MISSING, converter=_optional, eq=typed_key)


@frozen
class SetIfAbsent(Action):
    """Put the value where there is none; null counts as a value."""

    value: Any = field(converter=normalise, eq=typed_key)


@frozen
class Add(Action):
    """Add to a number (from 0 when missing), or put members into a set (a new one when missing)."""

    value: Any = field(converter=normalise, validator=_takes("number", *_SETS), eq=typed_key)


@frozen
class Remove(Action):
    """Remove what is at the path; nothing happens when nothing is there."""


@frozen
class Delete(Action):
    """Take members out of a set; an emptied set is removed, a missing one is left alone."""

    value: Any = field(converter=normalise, validator=_takes(*_SETS), eq=typed_key)


@frozen
class Append(Action):
    """Put the members at the end of a list; a missing list is an error unless ``create`` is true."""

    value: Any = field(converter=normalise, validator=_takes("list"), eq=typed_key)
    create: bool = False


@frozen
class Prepend(Action):
    """Put the members, in this order, at the start of a list; ``create`` as in :class:`Append`."""

    value: Any = field(converter=normalise, validator=_takes("list"), eq=typed_key)
    create: bool = False


def _actions(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(actions)


@frozen
class Changes:
    """The actions of one update; their paths don't overlap.

    :raises InvalidPath: two paths are equal, one contains the other, or names and indexes are mixed below one parent
    """

    actions: tuple[Action, ...] = field(default=(), converter=_actions)

    def __attrs_post_init__(self) -> None:
        # Different single names, the commonest of all updates, can't overlap.
        paths = {action.path for action in self.actions}
        if len(paths) < len(self.actions) or max(map(len, paths), default=1) > 1:
            self.tree()

    def tree(self) -> PathTree:
        """The actions by path; each leaf's payload is its action."""
        tree = PathTree()
        for action in self.actions:
            tree.insert(action.path, action)
        return tree

    def check_against(self, key_attributes: frozenset[str]) -> None:
        """Refuse changes of key attributes and of names that are reserved for Isthmus.

        :raises InvalidArgument: there is one
        """
        for action in self.actions:
            name = str(action.path[0])
            if name in key_attributes:
                raise InvalidArgument(
                    f"{path_text((name,))} is a key attribute and can't be changed; delete the item and create another."
                )
            if name.startswith(RESERVED_PREFIX):
                raise InvalidArgument(f"{name} starts with {RESERVED_PREFIX}, which is reserved; choose another name.")


def changes(
    *,
    set: Targets | None = None,
    set_if_absent: Targets | None = None,
    copy: Targets | None = None,
    add: Targets | None = None,
    remove: Target | Iterable[Target] | None = None,
    delete: Targets | None = None,
    append: Targets | None = None,
    prepend: Targets | None = None,
    create_lists: bool = False,
) -> Changes:
    """Build an update. Targets are fields, or text for **one** literal top-level name.

    :param copy: target to source, or to ``(source, default)``
    :param remove: one target or several
    :param create_lists: whether ``append`` and ``prepend`` start a list where there is none
    :raises InvalidPath: paths overlap, or are not valid
    :raises InvalidArgument: a value of the wrong type for its action
    """
    actions: list[Action] = []
    if set is not None:
        actions += [Set(path, value) for path, value in _values("set", set)]
    if set_if_absent is not None:
        actions += [SetIfAbsent(path, value) for path, value in _values("set_if_absent", set_if_absent)]
    if copy is not None:
        actions += [_set_from(path, source) for path, source in _pairs("copy", copy)]
    if add is not None:
        actions += [Add(path, value) for path, value in _pairs("add", add)]
    if remove is not None:
        actions += [Remove(path_of(target)) for target in targets_of(remove)]
    if delete is not None:
        actions += [Delete(path, value) for path, value in _pairs("delete", delete)]
    if append is not None:
        actions += [Append(path, value, create_lists) for path, value in _pairs("append", append)]
    if prepend is not None:
        actions += [Prepend(path, value, create_lists) for path, value in _pairs("prepend", prepend)]
    return Changes(actions)


def _pairs(argument: str, targets: Targets) -> list[tuple[Path, Any]]:
    if not isinstance(targets, Mapping):
        raise InvalidArgument(f"{argument}= takes a mapping of attributes to values, not {type(targets).__name__}.")
    return [(path_of(target), value) for target, value in targets.items()]


def _values(argument: str, targets: Targets) -> list[tuple[Path, Any]]:
    pairs = _pairs(argument, targets)
    for path, value in pairs:
        if isinstance(value, Field):
            raise InvalidArgument(f"{argument}= of {path_text(path)} takes a value; copy= copies another attribute.")
    return pairs


def _set_from(path: Path, source: Any) -> SetFrom:
    if isinstance(source, tuple):
        if len(source) != 2:
            raise InvalidArgument(f"copy= of {path_text(path)} takes a source or (source, default).")
        return SetFrom(path, path_of(source[0]), source[1])
    return SetFrom(path, path_of(source))
