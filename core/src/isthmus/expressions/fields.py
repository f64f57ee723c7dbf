"""``F``: the builder of conditions and paths, as in ``F.age >= 18`` and ``F.tags[0]``."""

from __future__ import annotations

from collections.abc import Iterable
from threading import RLock
from typing import Any, NoReturn, final
from weakref import WeakValueDictionary

from isthmus.errors import InvalidArgument
from isthmus.expressions import build
from isthmus.expressions.nodes import Attribute, Condition, Operand, Size
from isthmus.expressions.paths import Path, check_element, check_path


class _Comparable:
    """The comparisons that a field and a size share."""

    __slots__ = ()

    def _operand(self) -> Operand:
        raise NotImplementedError

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        return build.compare(self._operand(), "==", _plain(other))

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        return build.compare(self._operand(), "!=", _plain(other))

    def __lt__(self, other: Any) -> Condition:
        return build.compare(self._operand(), "<", _plain(other))

    def __le__(self, other: Any) -> Condition:
        return build.compare(self._operand(), "<=", _plain(other))

    def __gt__(self, other: Any) -> Condition:
        return build.compare(self._operand(), ">", _plain(other))

    def __ge__(self, other: Any) -> Condition:
        return build.compare(self._operand(), ">=", _plain(other))

    def __hash__(self) -> int:
        return hash(self._operand())

    def __repr__(self) -> str:
        return repr(self._operand())

    def between(self, low: Any, high: Any) -> Condition:
        """``low <= this <= high``; each end is a constant or another field."""
        return build.between(self._operand(), _plain(low), _plain(high))

    def in_(self, values: Iterable[Any]) -> Condition:
        """Equal to one of the constants."""
        return build.in_values(self._operand(), map(_plain, build.check_values(values)))

    def __bool__(self) -> NoReturn:
        raise InvalidArgument(f"{self!r} has no truth value; write {self!r} == True, or .exists() where it has one.")

    def __and__(self, other: object) -> NoReturn:
        _refuse_operator(self, "&")

    def __rand__(self, other: object) -> NoReturn:
        _refuse_operator(self, "&")

    def __or__(self, other: object) -> NoReturn:
        _refuse_operator(self, "|")

    def __ror__(self, other: object) -> NoReturn:
        _refuse_operator(self, "|")

    def __invert__(self) -> NoReturn:
        _refuse_operator(self, "~")


class SizeOf(_Comparable):
    """What :meth:`Field.size` returns: a number to compare."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def _operand(self) -> Size:
        return Size(self._path)


@final
class Field(_Comparable):
    """A path under construction; comparing it gives a condition.

    ``F.a.b`` and ``F["a"]["b"]`` are names, ``F.tags[0]`` an index, ``F["a.b"]`` one literal name. Names that start
    with an underscore, or that are methods of this class, need the brackets. While one lives, there is one object for
    each path, so fields work as dictionary keys although ``==`` builds a condition.

    :raises InvalidPath: the path is not valid
    """

    __slots__ = ("__weakref__", "_path")

    def __new__(cls, path: Path) -> Field:
        checked = check_path(path)
        with _LOCK:
            known = _LIVE.get(checked)
            if known is None:
                known = _LIVE[checked] = object.__new__(cls)
                object.__setattr__(known, "_path", checked)
            return known

    def _operand(self) -> Attribute:
        return Attribute(path_of(self))

    def __getattr__(self, name: str) -> Field:
        return Field((*path_of(self), _public(name, self)))

    def __getitem__(self, element: str | int) -> Field:
        check_element(element)
        return Field((*path_of(self), element))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise InvalidArgument(f"{self!r} describes a path and can't be assigned to; change items with update().")

    def __reduce__(self) -> tuple[type[Field], tuple[Path]]:
        return Field, (path_of(self),)

    def exists(self) -> Condition:
        """There is a value here; null is one."""
        return build.exists(path_of(self))

    def not_exists(self) -> Condition:
        """There is no value here."""
        return build.not_exists(path_of(self))

    def is_type(self, type_name: str) -> Condition:
        """The value has this portable type, such as ``"number"`` or ``"string_set"``."""
        return build.is_type(path_of(self), type_name)

    def begins_with(self, prefix: str | bytes) -> Condition:
        """Text or bytes with this prefix."""
        return build.begins_with(path_of(self), _plain(prefix))

    def contains(self, value: Any) -> Condition:
        """Text or bytes with this part, or a list or set with this member."""
        return build.contains(path_of(self), _plain(value))

    def size(self) -> SizeOf:
        """UTF-16 code units of text, bytes of binary, members of a list, map or set; others have none."""
        return SizeOf(path_of(self))

    def __iter__(self) -> NoReturn:
        raise InvalidArgument(f"{self!r} can't be iterated: it is a path. Read the item and iterate its value.")

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidArgument(f"Write {self!r}.contains(value) instead of `value in {self!r}`.")

    def __len__(self) -> NoReturn:
        raise InvalidArgument(f"Write {self!r}.size() instead of len({self!r}).")


_LIVE: WeakValueDictionary[Path, Field] = WeakValueDictionary()
# Re-entrant, because a finaliser may run, and build a field, while the lock is held.
_LOCK = RLock()


class Fields:
    """The root of all paths; its one instance is :data:`F`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        return Field((_public(name, self),))

    def __getitem__(self, name: str) -> Field:
        return Field((name,))

    def __iter__(self) -> NoReturn:
        raise InvalidArgument("F can't be iterated; name an attribute, as in F.age.")

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidArgument("F holds no values; name an attribute, as in F.tags.contains(value).")

    def __repr__(self) -> str:
        return "F"

    def __reduce__(self) -> str:
        return "F"


F = Fields()


def path_of(target: Field | str) -> Path:
    """The path of a field; text is **one** literal top-level name, dots included.

    :raises InvalidPath: it is neither, or the name is not allowed
    """
    if isinstance(target, Field):
        path: Path = object.__getattribute__(target, "_path")
        return path
    return check_path((target,))


def targets_of(targets: Field | str | Iterable[Field | str]) -> Iterable[Field | str]:
    """One target or several, as several.

    :raises InvalidArgument: it is neither
    """
    if isinstance(targets, (str, Field)):
        return (targets,)
    if not isinstance(targets, Iterable):
        raise InvalidArgument(f"Expected fields or attribute names, not {type(targets).__name__}.")
    return targets


def _public(name: str, owner: object) -> str:
    # Python's own protocols (copying, pickling, notebooks) probe for such names and need the usual error.
    if name.startswith("_"):
        raise AttributeError(f'{owner!r} has no {name}; write {owner!r}["{name}"] for an attribute of that name.')
    return name


def _plain(value: Any) -> Any:
    if isinstance(value, _Comparable):
        return value._operand()  # noqa: SLF001  # public names would hide attributes of that name
    return value


def _refuse_operator(operand: _Comparable, operator: str) -> NoReturn:
    raise InvalidArgument(
        f"{operator} joins conditions, and {operand!r} is none. Put each comparison in parentheses:"
        f" (F.a == 1) {'&' if operator == '~' else operator} (F.b == 2)."
    )
