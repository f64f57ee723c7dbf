"""What a URL and its options say: the file, and how it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote

from attrs import fields, frozen

from isthmus.errors import ConfigurationError

SYNCHRONOUS = ("full", "normal", "off")


@frozen
class Options:
    """How a database file is used.

    :param synchronous: what a power failure may do: nothing to acknowledged writes (``full``), lose the last ones
        (``normal``), or damage the file (``off``)
    :param busy_timeout: longest wait for another process's writes, seconds
    :param cache_mb: memory for pages of the file, for each connection, MiB
    :param threads: threads, and so connections, that serve an async database
    """

    synchronous: str = "full"
    busy_timeout: float = 5.0
    cache_mb: float = 8.0
    threads: int = 4


def read_options(given: Mapping[str, Any]) -> Options:
    """Options from text or values.

    :raises ConfigurationError: with every unknown name and bad value
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        try:
            values[name] = _READERS.get(name, partial(_refuse, name))(value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("; ".join(problems), problems=problems)
    return Options(**values)


def _refuse(name: str, _value: object) -> NoReturn:
    near = get_close_matches(name, list(_READERS), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(_READERS)}"
    raise ValueError(f"sqlite has no option {name!r}: {hint}")


def _synchronous(value: object) -> str:
    if value not in SYNCHRONOUS:
        raise ValueError(f"option 'synchronous' is one of {', '.join(SYNCHRONOUS)}")
    return str(value)


def _number(name: str, low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not low <= number <= high:
            raise ValueError(f"option {name!r} is a number from {low:g} to {high:g}")
        return number

    return read


_threads = _number("threads", 1, 64)
_READERS: Mapping[str, Callable[[object], Any]] = {
    "synchronous": _synchronous,
    "busy_timeout": _number("busy_timeout", 0, 3_600),
    "cache_mb": _number("cache_mb", 0.1, 65_536),
    "threads": lambda value: int(_threads(value)),
}
assert set(_READERS) == {attribute.name for attribute in fields(Options)}


def database_path(url: SplitResult) -> str | None:
    """The file's path, or ``None`` for a database in memory.

    :raises ConfigurationError: the URL names a host, or no file
    """
    if url.netloc:
        raise ConfigurationError(
            f"a sqlite URL has three slashes before a relative path and four before an absolute one:"
            f" sqlite:///{url.netloc}{url.path}"
        )
    if url.fragment:
        raise ConfigurationError("a sqlite URL has no fragment: write '#' in a file's name as %23")
    if not url.path:
        return None
    path = unquote(url.path)[1:]
    if not path or "\0" in path or path == ":memory:":
        raise ConfigurationError("the sqlite URL names no file: use sqlite:///shop.db, or sqlite:// for memory")
    return path
