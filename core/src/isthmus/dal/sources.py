"""What is wrong with where a DAL takes its database from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.backends import Backend
from isthmus.database_base import DatabaseBase
from isthmus.errors import Closed, InvalidArgument


def check_options(owner: object, source: object, options: Mapping[str, Any], wanted: type[DatabaseBase]) -> None:
    """Refuse what is no source of a database, and options that nothing would read.

    :param wanted: the class of the databases
    :raises InvalidArgument: it is none
    """
    name = type(owner).__name__
    if isinstance(source, DatabaseBase) and not isinstance(source, wanted):
        raise InvalidArgument(f"{name} takes {_article(wanted)}, not {_article(type(source))}")
    if not (source is None or callable(source) or isinstance(source, (str, Backend, wanted))):
        raise InvalidArgument(
            f"{name} takes a URL, {_article(wanted)} or a function that opens one, not {type(source).__name__}"
        )
    if options and not (source is None or isinstance(source, (str, Backend))):
        raise InvalidArgument(
            f"{name} does not open the database, so {min(options)!r} would have no effect: give it to whoever opens it"
        )


def _article(kind: type[Any]) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def not_open(owner: object, closed: bool) -> Closed:
    """The error for a use before opening or after closing."""
    name, state = type(owner).__name__, "was closed" if closed else "is not open"
    return Closed(f"{name} {state}: use it in a with block, call open(), or give it a database that is open")


def no_database(owner: object, given: object) -> InvalidArgument:
    """The error for a function that opens something else than a database."""
    return InvalidArgument(
        f"the function that {type(owner).__name__} was given returned {type(given).__name__}: it opens a database, by"
        " isthmus.connect() or, for an async one, isthmus.aconnect()"
    )


def foreign(owner: object) -> InvalidArgument:
    """The error for a unit of work of another database."""
    return InvalidArgument(
        f"within() takes a unit of work, or a DAL's transaction, of the database of this {type(owner).__name__}"
    )
