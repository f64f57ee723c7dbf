"""What ``isthmus demo --to`` names: a URL, or an engine that an installed package starts for the length of the demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import entry_points
from typing import Final

from attrs import frozen

import isthmus
from isthmus.cli.demo.cities import CITIES
from isthmus.database import Database
from isthmus.errors import AlreadyExists, ConfigurationError, IsthmusError

ENGINES: Final = "isthmus.engines"
"""The entry points of engines: each is a function that gives a context manager with the URL of a running server."""
_EXAMPLES: Final = {
    "mongodb": "mongodb://localhost:27017/test?replicaSet=rs0",
    "dynamodb": "dynamodb://eu-west-1/?endpoint=http://localhost:8000",
}


@frozen
class Target:
    """A database to run the demo on; ``name`` is for people, and holds nothing of its URL but the scheme."""

    name: str
    database: Database


@contextmanager
def opened_targets(given: Sequence[str]) -> Iterator[list[Target]]:
    """Open every target; what the demo made in them is removed in the end.

    :param given: URLs, and names of engines
    :raises ConfigurationError: a name is no engine's, or the engine does not start
    :raises AlreadyExists: a target has a table of the demo's name
    """
    with ExitStack() as stack:
        urls = [each if ":" in each else stack.enter_context(_started(each)) for each in given]
        databases = [stack.enter_context(isthmus.connect(url)) for url in urls]
        targets = [Target(name, database) for name, database in zip(_names(given), databases, strict=True)]
        for target in targets:
            _refuse_existing(target)
        for target in targets:
            stack.callback(_clear, target)
        yield targets


def _names(given: Sequence[str]) -> list[str]:
    """A name for each target; those that would have the same one are numbered."""
    names = [each.partition(":")[0] for each in given]
    return [
        name if names.count(name) == 1 else f"{name} {names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    ]


@contextmanager
def _started(name: str) -> Iterator[str]:
    found = entry_points(group=ENGINES, name=name)
    if not found:
        raise ConfigurationError(
            f"--to {name} names no engine that an installed package starts{_installed()}: "
            f"start a server and give its URL, such as {_EXAMPLES.get(name, f'{name}://...')}"
        )
    with ExitStack() as stack:
        try:
            url = stack.enter_context(next(iter(found)).load()())
        except Exception as error:  # an engine is any program on this machine
            raise ConfigurationError(
                f"the engine {name} does not start: {error}; or start a server yourself and give its URL"
            ) from error
        yield url


def _installed() -> str:
    names = sorted(entry_points(group=ENGINES).names)
    return f" (these are: {', '.join(names)})" if names else ""


def _refuse_existing(target: Target) -> None:
    if CITIES.name in target.database.tables.list():
        raise AlreadyExists(
            f"{target.name} has a table {CITIES.name!r}, which the demo does not touch: choose another database"
        )


def _clear(target: Target) -> None:
    # After a failure the database may be gone too, and the first error is the one to tell.
    with suppress(IsthmusError):
        target.database.tables.drop(CITIES.name)
