"""Recorders: what a lambda such as ``lambda u: u.age >= 18`` is called with, once, to build a tree.

To type checkers it is an entity; at run time each attribute is a ``Recorder`` of a path, whose operators give
conditions and changes. Constants are converted as the field's values are (rule REP-5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, cast

from isthmus.errors import InvalidArgument
from isthmus.expressions import Add, Append, Condition, Delete, Path, Prepend, path_text
from isthmus.expressions import Field as PathField
from isthmus.hints import nearest
from isthmus.repository.codecs import Codec
from isthmus.repository.misfits import Misfit
from isthmus.repository.shapes import Shape

_HINT = "join conditions with & | and not_(), and test membership with is_in() or contains()"


class Recorder:
    """A path into an entity, and the codec of what is there."""

    __slots__ = ("__codec__", "__owner__", "__path__")

    def __init__(self, owner: str, path: Path, codec: Codec) -> None:
        object.__setattr__(self, "__owner__", owner)
        object.__setattr__(self, "__path__", path)
        object.__setattr__(self, "__codec__", codec)

    # ---- going deeper ----

    def __getattr__(self, name: str) -> Recorder:
        for shape in _shapes(codec_of(self)):
            if name in shape.fields:
                one = shape.fields[name]
                return Recorder(owner_of(self), (*path_of(self), one.stored), one.codec)
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "startswith":
            return cast("Recorder", self._startswith)
        names = [field for shape in _shapes(codec_of(self)) for field in shape.fields]
        raise InvalidArgument(f"{_text(self)} has no field {name!r}{_near(name, names)}")

    def __getitem__(self, element: str | int) -> Recorder:
        member = codec_of(self).present.target
        if not isinstance(member, Codec):
            raise InvalidArgument(f"{_text(self)} has no members to look up")
        return Recorder(owner_of(self), (*path_of(self), element), member)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise InvalidArgument(f"{_text(self)} can't be assigned to: write set=lambda u: evolve(u, {name}=…)")

    # ---- conditions ----

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        if other is None and codec_of(self).nullable:
            return field_of(self).not_exists() | (field_of(self) == None)  # noqa: E711  # a condition
        if codec_of(self).empty is not None and isinstance(other, (set, frozenset)) and not other:
            return field_of(self).not_exists()
        return cast("Condition", field_of(self) == constant(self, other))

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        return ~(self == other)

    def __lt__(self, other: Any) -> Condition:
        return cast("Condition", field_of(self) < constant(self, other))

    def __le__(self, other: Any) -> Condition:
        return cast("Condition", field_of(self) <= constant(self, other))

    def __gt__(self, other: Any) -> Condition:
        return cast("Condition", field_of(self) > constant(self, other))

    def __ge__(self, other: Any) -> Condition:
        return cast("Condition", field_of(self) >= constant(self, other))

    def __hash__(self) -> int:
        return hash(path_of(self))

    def _startswith(self, prefix: str | bytes) -> Condition:
        return field_of(self).begins_with(prefix)

    # ---- changes, and conditions of truth values ----

    def __add__(self, other: Any) -> Any:
        if "list" in codec_of(self).stored:
            return Append(path_of(self), constant(self, other))
        return Add(path_of(self), constant(self, other))

    def __radd__(self, other: Any) -> Any:
        if "list" in codec_of(self).stored:
            return Prepend(path_of(self), constant(self, other))
        return self + other

    def __sub__(self, other: Any) -> Any:
        if codec_of(self).present.empty is not None:
            return Delete(path_of(self), constant(self, other))
        return Add(path_of(self), constant(self, -other))

    def __or__(self, other: Any) -> Any:
        if codec_of(self).present.empty is not None:
            return Add(path_of(self), constant(self, other))
        return condition_of(self, owner_of(self)) | condition_of(other, owner_of(self))

    def __and__(self, other: Any) -> Condition:
        return condition_of(self, owner_of(self)) & condition_of(other, owner_of(self))

    __rand__, __ror__ = __and__, __or__

    def __condition__(self) -> Condition:
        """A truth value stands for itself where conditions are joined."""
        return condition_of(self, owner_of(self))

    # ---- what can't be recorded ----

    def __bool__(self) -> NoReturn:
        raise InvalidArgument(f"{_text(self)} has no truth value while a condition is recorded: {_HINT}")

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidArgument(f"`in {_text(self)}` can't be recorded: {_HINT}")

    def __len__(self) -> NoReturn:
        raise InvalidArgument(f"len({_text(self)}) can't be recorded: write size({_text(self)})")

    def __iter__(self) -> NoReturn:
        raise InvalidArgument(f"{_text(self)} can't be iterated while a condition is recorded: {_HINT}")

    def __format__(self, spec: str) -> NoReturn:
        raise InvalidArgument(f"{_text(self)} can't be made text while a condition is recorded: compare it as it is")

    def __str__(self) -> NoReturn:  # noqa: PLE0307  # never returns
        self.__format__("")

    def __repr__(self) -> str:
        return _text(self)


def path_of(recorder: Recorder) -> Path:
    """The path that a recorder stands for, by stored names."""
    return cast("Path", object.__getattribute__(recorder, "__path__"))


def owner_of(recorder: Recorder) -> str:
    """The name of the class that is recorded."""
    return cast("str", object.__getattribute__(recorder, "__owner__"))


def codec_of(recorder: Recorder) -> Codec:
    """The codec of what is at the path."""
    return cast("Codec", object.__getattribute__(recorder, "__codec__"))


def field_of(recorder: Recorder) -> PathField:
    """The same path as ``F`` gives it."""
    return PathField(path_of(recorder))


def constant(recorder: Recorder, value: Any, codec: Codec | None = None) -> Any:
    """The stored form of a constant that is compared with a field or added to it.

    :raises InvalidArgument: it is not of the field's type
    """
    if isinstance(value, Recorder):
        return field_of(value)
    try:
        return (codec or codec_of(recorder)).encode(value)
    except Misfit as misfit:
        raise InvalidArgument(f"{_text(recorder)} takes {misfit.wanted}, not {misfit.found}") from None


def recorder_of(owner: str, shape: Shape) -> Recorder:
    """The recorder of a whole entity."""
    return Recorder(owner, (), shape.codec())


def condition_of(found: object, owner: str) -> Condition:
    """What a lambda returned, as a condition.

    :raises InvalidArgument: it is none
    """
    if isinstance(found, Condition):
        return found
    if isinstance(found, Recorder) and codec_of(found).exact is bool:
        return field_of(found) == True  # noqa: E712  # a condition
    raise InvalidArgument(
        f"the condition on {owner} gave a {type(found).__name__}, not a condition: compare fields, as in"
        f" lambda u: u.age >= 18, and {_HINT}"
    )


def recorded(condition: Callable[[Any], Any] | Condition, owner: str, shape: Shape) -> Condition:
    """The condition that a lambda builds; a condition tree, which names stored attributes, is taken as it is.

    :raises InvalidArgument: it builds none
    """
    if isinstance(condition, Condition):
        return condition
    if not callable(condition):
        raise InvalidArgument(
            f"a condition is a function such as lambda u: u.age >= 18, not {type(condition).__name__}"
        )
    try:
        found = condition(recorder_of(owner, shape))
    except TypeError as error:
        raise InvalidArgument(f"the condition on {owner} can't be recorded ({error}): {_HINT}") from error
    return condition_of(found, owner)


def _text(recorder: Recorder) -> str:
    path = path_of(recorder)
    return f"{owner_of(recorder)}.{path_text(path)}" if path else owner_of(recorder)


def _near(name: str, names: list[str]) -> str:
    near = nearest(name, names)
    return f"; did you mean {near[0]!r}?" if near else f"; its fields: {', '.join(names)}" if names else ""


def _shapes(codec: Codec) -> tuple[Shape, ...]:
    """The classes that a value can be of."""
    target = codec.present.target
    if callable(target) and not isinstance(target, (Codec, Shape)):
        target = target().target
    if isinstance(target, tuple):
        return tuple(shape for codec in target for shape in _shapes(codec))
    return (target,) if isinstance(target, Shape) else ()
