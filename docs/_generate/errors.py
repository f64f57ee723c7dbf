"""The table of errors."""

from __future__ import annotations

from collections.abc import Iterator

from docs._generate.markdown import code, summary, table
from isthmus.errors import IsthmusError


def error_classes(base: type[IsthmusError] = IsthmusError) -> Iterator[type[IsthmusError]]:
    """The core's error classes, each before those that inherit from it."""
    yield base
    for child in base.__subclasses__():
        if child.__module__ == "isthmus.errors":
            yield from error_classes(child)


def error_table() -> str:
    """Every error with its code, its base, its defaults and its meaning."""
    rows = [
        (code(error.__name__), code(error.code), _base(error), _yes(error.retryable), _yes(error.maybe_applied),
         summary(error))
        for error in error_classes()
    ]  # fmt: skip
    return table(["error", "`code`", "is a", "retryable", "maybe applied", "meaning"], rows)


def _base(error: type[IsthmusError]) -> str:
    base = error.__bases__[0]
    return "" if base is Exception else code(base.__name__)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
