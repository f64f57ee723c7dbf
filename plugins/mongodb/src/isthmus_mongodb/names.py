"""Attribute names as MongoDB stores them: no dot, no dollar sign and nothing that means something to the server.

``%``, ``$`` and ``.`` are written ``%25``, ``%24`` and ``%2E``, at every depth, and a name that is exactly ``_id``
becomes ``%5Fid``. So no name of a user can be taken for a path, an operator, the primary key or a tag of ours: tags and
hidden fields are spelled with a bare ``%`` inside values and with the reserved prefix ``__`` at the top.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from isthmus.errors import InvalidArgument, InvalidStoredValue

_SPECIAL: Final = re.compile(r"[%$.\0]")
_ESCAPED: Final = re.compile(r"%(..)?", re.DOTALL)
_CODES: Final = {"%": "%25", "$": "%24", ".": "%2E"}
_CHARACTERS: Final = {"25": "%", "24": "$", "2E": ".", "5F": "_"}
_PRIMARY_KEY: Final = "_id"


def escape(name: str) -> str:
    """The stored form of an attribute's name.

    :raises InvalidArgument: it holds NUL, which can make the server end itself when it is part of a plan
    """
    if _SPECIAL.search(name) is None:
        return name if name != _PRIMARY_KEY else "%5Fid"
    return _SPECIAL.sub(_code, name)


def _code(found: re.Match[str]) -> str:
    try:
        return _CODES[found[0]]
    except KeyError:
        raise InvalidArgument("an attribute name holds the character NUL: choose another name") from None


def unescape(stored: str) -> str:
    """The name behind its stored form.

    :raises InvalidStoredValue: it holds a ``%`` that :func:`escape` does not write
    """
    return _ESCAPED.sub(_character, stored) if "%" in stored else stored


def _character(found: re.Match[str]) -> str:
    try:
        return _CHARACTERS[found[1]]
    except KeyError:
        raise InvalidStoredValue(
            f"the stored field {found.string!r} has a % that Isthmus did not write: rename it to use %25 for it"
        ) from None


def plain(names: Collection[str]) -> bool:
    """Whether all names are stored as they are."""
    if _PLAIN.issuperset(names):
        return True
    if _SPECIAL.search("".join(names)) is not None or _PRIMARY_KEY in names:
        return False
    if len(_PLAIN) < _MOST_PLAIN:
        _PLAIN.update([name for name in names if len(name) <= _SHORT])
    return True


# The same names come with each item, so some are remembered.
_PLAIN: Final[set[str]] = set()
_MOST_PLAIN: Final = 4_096
_SHORT: Final = 60


def dotted(path: Iterable[str | int]) -> str:
    """A path as query predicates spell it; list indexes are numbers in it."""
    return ".".join(escape(element) if isinstance(element, str) else str(element) for element in path)
