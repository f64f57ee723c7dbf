"""Small helpers that write Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc, getdoc


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars inside cells are made safe."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def code(text: object) -> str:
    """Text set as code."""
    return f"`{text}`"


def from_docstring(text: str) -> str:
    """A docstring's inline markup in Markdown's."""
    text = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", cleandoc(text))
    return text.replace("``", "`")


def summary(thing: object) -> str:
    """The first paragraph of a thing's docstring."""
    return from_docstring(getdoc(thing) or "").split("\n\n")[0]


def described(thing: object) -> dict[str, str]:
    """The ``:param name:`` and ``:cvar name:`` fields of a docstring."""
    found = re.findall(r"^:(?:param|cvar) (\w+): (.*?)(?=^:|\Z)", getdoc(thing) or "", re.DOTALL | re.MULTILINE)
    return {name: from_docstring(" ".join(text.split())) for name, text in found}
