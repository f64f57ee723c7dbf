"""What a URL and its options say: the file, and how it is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, unquote

from attrs import Attribute, field, frozen
from attrs.validators import in_

from isthmus.errors import ConfigurationError

Synchronous = Literal["full", "normal", "off"]


def _between(low: float, high: float) -> Callable[[object, Attribute[Any], float], None]:
    def check(_options: object, attribute: Attribute[Any], value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} is a number from {low:g} to {high:g}")

    return check


@frozen
class Options:
    """How a database file is used.

    :param synchronous: what a power failure may do: nothing to acknowledged writes (``full``), lose the last ones
        (``normal``), or damage the file (``off``)
    :param create: whether a missing file is created
    :param busy_timeout: longest wait for the writes of another thread or process, seconds
    :param cache_mb: memory for pages of the file, for each connection, MiB
    :param threads: threads, and so connections, that serve an async database
    """

    synchronous: Synchronous = field(default="full", validator=in_(get_args(Synchronous)))
    create: bool = True
    busy_timeout: float = field(default=5.0, validator=_between(0, 3_600))
    cache_mb: float = field(default=8.0, validator=_between(0.1, 65_536))
    threads: int = field(default=4, validator=_between(1, 64))


def database_path(url: SplitResult) -> str | None:
    """The file's path, or ``None`` for a database in memory.

    A relative path is one from the current folder at this moment; changing the folder later changes nothing.

    :raises ConfigurationError: the URL names a host, or no file
    """
    # A host's place may hold a password, so no message repeats it.
    if url.netloc or (url.path and not url.path.startswith("/")):
        raise ConfigurationError(
            "a sqlite URL has three slashes before a relative path and four before an absolute one:"
            " sqlite:///shop.db, sqlite:////srv/shop.db"
        )
    if url.fragment:
        raise ConfigurationError("a sqlite URL has no fragment: write '#' in a file's name as %23")
    if not url.path:
        return None
    path = unquote(url.path)[1:]
    if not path or "\0" in path or path == ":memory:":
        raise ConfigurationError("the sqlite URL names no file: use sqlite:///shop.db, or sqlite:// for memory")
    return _absolute(path)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)  # noqa: PTH100  # Path.absolute() keeps ".."
    except OSError as error:
        raise ConfigurationError("the current folder is gone: give the database's path from the root") from error


def check_exists(path: str | None, options: Options) -> None:
    """Refuse a missing file where none is to be created.

    :raises ConfigurationError: naming the path
    """
    # A file that may not be looked at is left to SQLite, which then says so.
    if path is not None and not options.create and _is_missing(path):
        raise ConfigurationError(f"there is no database file {path!r}: check the path, or set the option create")


def _is_missing(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
