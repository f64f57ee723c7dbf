"""Names of attributes, keys and tables."""

from __future__ import annotations

import re
from typing import Final

from isthmus.errors import InvalidArgument, InvalidValue
from isthmus.values._refused import shown
from isthmus.values.model import WIDE

RESERVED_PREFIX: Final = "__"
"""Top-level names that start so belong to Isthmus: they are refused in what is written."""

HIDDEN_NAMES: Final = frozenset({"__exp", "__lk", "__op", "__rev", "__rv", "__tx"})
"""What the fallback and the backends store beside an item's own attributes: one that hides a further name adds it here,
and a test of each holds it to that. Other reserved names may be those of a foreign program."""

HIDDEN_PREFIX: Final = "__ix_"
"""The same for key attributes of indexes."""

KEY_NAME_BYTES: Final = 255
_TABLE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{3,120}")


def name_problem(name: object, limit: int = WIDE.name_bytes, *, top_level: bool = False) -> str | None:
    """What is wrong with an attribute's name, as a predicate such as "is empty"; ``None`` when it is fine."""
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, not a string"
    if not name:
        return "is empty"
    if "\0" in name:
        return "contains a NUL character"
    if top_level and name.startswith(RESERVED_PREFIX):
        return f"starts with the reserved prefix {RESERVED_PREFIX!r}"
    return _encoding_problem(name, limit)


def _encoding_problem(name: str, limit: int) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return f"is longer than {limit} bytes" if size > limit else None


def check_name(name: object, *, limit: int = WIDE.name_bytes, top_level: bool = False) -> str:
    """The attribute's name itself, when it is portable.

    :param limit: allowed UTF-8 bytes
    :param top_level: whether it names an attribute of the item, where the reserved prefix is refused
    :raises InvalidValue: when it is empty, too long, reserved, no string, or holds NUL or a lone surrogate
    """
    problem = name_problem(name, limit, top_level=top_level)
    if problem is None and isinstance(name, str):
        return name
    raise InvalidValue(f"An attribute's name {problem}{_quoted(name)}; choose another one.")


def check_key_name(name: object) -> str:
    """The name itself, when an attribute of a declared key may bear it (at most 255 bytes).

    :raises InvalidArgument: as :func:`check_name`
    """
    return check_name(name, limit=KEY_NAME_BYTES, top_level=True)


def check_table_name(name: object, what: str = "table") -> str:
    """The name itself, when a table or an index may bear it: 3 to 120 of ``A-Z a-z 0-9 _ -``.

    :param what: the word for the named thing in the message
    :raises InvalidArgument: when it is anything else
    """
    if isinstance(name, str) and _TABLE_NAME.fullmatch(name):
        return name
    raise InvalidArgument(f"The {what} name{_quoted(name)} must be 3 to 120 of the characters A-Z a-z 0-9 _ and -.")


def _quoted(name: object) -> str:
    return f" {shown(name)}" if isinstance(name, str) and name else ""
