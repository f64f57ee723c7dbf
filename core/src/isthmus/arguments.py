"""Arguments of the surface that need no table to be checked, the same for the sync and the async database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus import operations as op
from isthmus.capabilities import Limits
from isthmus.errors import Closed, InvalidArgument, QueryTooComplex
from isthmus.expressions import MAX_OPERATORS, Condition, condition_operators
from isthmus.schema import Table


def members(given: Iterable[Any], what: str) -> Iterable[Any]:
    """What a caller gave as several, when it is.

    :param what: the word for the members in the message
    :raises InvalidArgument: it is a single thing: text, a mapping, an action
    """
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise InvalidArgument(f"several {what} are expected, in a list or another iterable, not {type(given).__name__}")
    return given


def check_open(closed: bool) -> None:
    """Refuse what goes past the chains of a database that was closed (rule TAB-7).

    :raises Closed: it was
    """
    if closed:
        raise Closed("the database was closed: connect again")


def check_operation(operation: object) -> None:
    """Refuse what no chain exists for.

    :raises InvalidArgument: it is no operation, or one of a kind of its own
    """
    if type(operation) not in op.OPERATIONS:
        raise InvalidArgument(f"execute() takes an operation of isthmus.operations, not {type(operation).__name__}")


def check_table(table: object) -> None:
    """Refuse what is no declaration.

    :raises InvalidArgument: it is something else
    """
    if not isinstance(table, Table):
        raise InvalidArgument(f"a Table is expected, the schema of a bound table say, not {type(table).__name__}")


def check_condition_size(condition: Condition, limits: Limits) -> Condition:
    """The condition itself, when the backend takes one so large.

    :raises QueryTooComplex: it has more operators than the limit
    """
    # Conditions can't be built larger than the portable limit; only a backend with a lower one needs a count.
    if limits.condition_operators < MAX_OPERATORS and condition_operators(condition) > limits.condition_operators:
        raise QueryTooComplex(
            f"the condition has more than the {limits.condition_operators} operators that this backend takes:"
            " use in_() for alternatives of one attribute, or split the call"
        )
    return condition


def check_returning(returning: object, *allowed: str) -> None:
    """Refuse images that a write can't return.

    :raises InvalidArgument: it is none of ``allowed``
    """
    if returning is not None and returning not in allowed:
        raise InvalidArgument(f"returning is {' or '.join(map(repr, allowed))} or None here, not {returning!r}")


def check_segments(segment: int | None, segments: int) -> None:
    """Refuse impossible segments.

    :raises InvalidArgument: less than one segment, or one that does not exist
    """
    if type(segments) is not int or segments < 1 or segments > 1_000_000:
        raise InvalidArgument("segments is a number from 1 to 1000000")
    if segment is not None and (type(segment) is not int or not 0 <= segment < segments):
        raise InvalidArgument(f"segment is a number from 0 to {segments - 1}")


def positive(number: int, what: str) -> int:
    """The number itself.

    :raises InvalidArgument: it is no positive integer
    """
    if type(number) is not int or number < 1:
        raise InvalidArgument(f"{what} is a positive integer (rule QRY-1)")
    return number
