"""Lines of a TOML file: where each key is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tomllib

KeyPath = tuple[str, ...]
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line on which the statement of each key begins.

    The beginning of a file up to the end of a statement is itself a TOML document, so a key stands in the statement
    whose end makes it appear. That takes quadratic time, for files that are short.
    """
    import tomllib  # only programs with a configuration file need it

    lines = text.split("\n")
    found: dict[KeyPath, int] = {}
    start = 1
    for end in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        for path in _paths(document):
            found.setdefault(path, start)
        start = end + 1
    return found


def _paths(table: Mapping[str, Any], above: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))


def syntax_problem(error: tomllib.TOMLDecodeError) -> tuple[int | None, str]:
    """The line and the reason of a syntax error; the line is unknown at the end of the file."""
    match = _AT_LINE.search(str(error))
    return (int(match.group(1)) if match else None), _AT_LINE.sub("", str(error))
