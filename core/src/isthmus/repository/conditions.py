"""What a recorded condition needs beside operators; each takes and gives what type checkers expect of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast
from uuid import UUID

from isthmus.errors import InvalidArgument
from isthmus.repository.codecs import Codec
from isthmus.repository.recorder import Recorder, codec_of, condition_of, constant, field_of
from isthmus.repository.sizes import SetSize

V = TypeVar("V")
# Constraints, not a bound: so a number and text are no common type of both.
Ordered = TypeVar("Ordered", int, float, Decimal, str, bytes, datetime, date, UUID)


def not_(condition: bool) -> bool:
    """The negation."""
    return cast("bool", ~condition_of(condition, "an entity"))


def between(value: Ordered, low: Ordered, high: Ordered) -> bool:
    """``low <= value <= high``, both ends included."""
    recorder = _recorder(value, "between")
    return cast("bool", field_of(recorder).between(constant(recorder, low), constant(recorder, high)))


def is_in(value: V, values: Iterable[V]) -> bool:
    """Whether the value is one of these."""
    recorder = _recorder(value, "is_in")
    return cast("bool", field_of(recorder).in_([constant(recorder, one) for one in values]))


def contains(container: str | bytes | Sequence[V] | AbstractSet[V], member: V) -> bool:
    """Text or bytes with this part, a list or set with this member."""
    recorder = _recorder(container, "contains")
    codec = codec_of(recorder).present
    inner = codec.target if isinstance(codec.target, Codec) else codec
    return cast("bool", field_of(recorder).contains(constant(recorder, member, inner)))


def size(value: str | bytes | Sequence[Any] | AbstractSet[Any] | Mapping[Any, Any]) -> int:
    """UTF-16 code units of text, bytes of binary, members of the others; to be compared with a number."""
    recorder = _recorder(value, "size")
    field = field_of(recorder)
    return cast("int", field.size() if codec_of(recorder).empty is None else SetSize(field))


def missing(value: object) -> bool:
    """Whether nothing is stored there, or ``None``."""
    here = field_of(_recorder(value, "missing"))
    return cast("bool", here.not_exists() | (here == None))  # noqa: E711  # a condition


def present(value: V | None) -> V:
    """The same field for type checkers, as one that is not ``None``: ``present(u.age) >= 18``."""
    return cast("V", value)


def _recorder(value: object, function: str) -> Recorder:
    if isinstance(value, Recorder):
        return value
    raise InvalidArgument(
        f"{function}() takes a field of what a condition is recorded of, as in lambda u: {function}(u.age, …), not a"
        f" {type(value).__name__}"
    )
