"""Operands with an optional database URL in front, as in ``isthmus get [URL] TABLE KEY...``.

click fills optional arguments from the left, so ``get cities FR`` would take ``cities`` for the URL. Here the first
operand is the URL only if it looks like one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

import isthmus
from isthmus.database import Database

Command = Callable[..., Any]


def operands(*names: str, rest: str | None = None, least: int = 0) -> Callable[[Command], Command]:
    """Give a command ``url`` (``None`` when left out) and one text argument for each name.

    :param rest: name of an argument for all further operands, as a tuple
    :param least: how many of those there must be
    """
    shown = " ".join(["[URL]", *map(str.upper, names), *([f"{rest.upper()}..."] if rest else [])])

    def decorate(function: Command) -> Command:
        @click.argument("operands", nargs=-1, metavar=shown)
        @functools.wraps(function)
        def wrapper(operands: tuple[str, ...], **options: Any) -> Any:
            return function(**_split(operands, names, rest, least), **options)

        return wrapper

    return decorate


def _split(given: tuple[str, ...], names: tuple[str, ...], rest: str | None, least: int) -> dict[str, Any]:
    url, words = (given[0], given[1:]) if given and "://" in given[0] else (None, given)
    if len(words) < len(names) + least:
        missing = [*names, *([rest] * least if rest else [])][len(words)]
        raise click.UsageError(f"Missing argument {missing.upper()}.", click.get_current_context())
    further = words[len(names) :]
    if further and rest is None:
        raise click.UsageError(f"Unexpected argument {further[0]!r}.", click.get_current_context())
    return {"url": url, **dict(zip(names, words, strict=False)), **({rest: further} if rest else {})}


def opened(url: str | None, *, create: bool = False) -> Database:
    """The database of a URL, or of the configuration when there is none.

    :param create: whether a missing database file is created; a mistyped path of a reading command must leave nothing
    """
    if url is not None and url.startswith("sqlite:") and not create:
        return isthmus.connect(url, sqlite={"create": False})
    return isthmus.connect(url)
