"""How people name places: URLs, ``env:NAME`` for a URL in the environment, and folders. Secrets are never stored."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, unquote, urlsplit

from attrs import frozen

from isthmus.database_base import DatabaseBase
from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus.redaction import redacted_url

if TYPE_CHECKING:
    from isthmus.database import Database

_FLEETING: Final = re.compile(r"memory:|sqlite:///?(?:\?|$)")
_ENVIRONMENT: Final = "env:"
_FILE: Final = "file:"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# A URL that lacks a slash is no folder that anybody means.
_LIKE_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
# An option that says where a secret is, and does not hold it.
_SECRET_REFERENCE: Final = re.compile(r"[?&][^=&#]*=secret(?::|%3A)[^&#]*", re.IGNORECASE)

Given = str | DatabaseBase
"""What a user gives for a place: a URL, ``env:NAME`` or a folder, or a database that is open, sync or async."""
Kind = Literal["database", "export"]


@frozen
class Reference:
    """The name of a place as it may be written to a file.

    :param text: ``env:NAME``, a URL with its secrets left out, or a folder
    :param whole: whether ``text`` is enough to open the place; a URL that holds secrets has to be given again
    :param opened: whether it was given as an opened database, which has to be given again too
    """

    text: str
    whole: bool = True
    opened: bool = False

    @property
    def kind(self) -> Kind:
        """Whether it names a database or a folder with an export."""
        known = self.text.startswith(_ENVIRONMENT) or (_SCHEME.match(self.text) and not is_folder(self.text))
        return "database" if known else "export"


def reference_of(given: Given) -> Reference:
    """The reference to a place that is named, or to a database that is open.

    :raises InvalidArgument: it is neither, or the text names nothing, or nothing that lasts
    """
    if isinstance(given, DatabaseBase):
        return Reference(given.url, whole=False, opened=True)
    if not isinstance(given, str):
        raise InvalidArgument(
            f"a place is text, a database URL, env:NAME or a folder, or a database that is open, not a "
            f"{type(given).__name__}: for a path give str(path)"
        )
    check_lasting(given)
    return reference_to(given)


def is_folder(text: str) -> bool:
    """Whether the text names a folder."""
    return text.startswith(_FILE) or not (_SCHEME.match(text) or text.startswith(_ENVIRONMENT))


def folder_of(text: str) -> str:
    """The folder that a text names, with or without ``file:`` in front."""
    if not text.startswith(_FILE):
        return text
    path = text[len(_FILE) :]
    return path.removeprefix("//")


def reference_to(text: str) -> Reference:
    """The reference to what a user named; what lies on a disk is named from its root, to be found from everywhere.

    :raises InvalidArgument: the text names nothing
    """
    if not text.strip() or text in (_ENVIRONMENT, _FILE):
        raise InvalidArgument("a place is a database URL, env:NAME, or a folder: name one")
    if "\0" in text:
        raise InvalidArgument("the name of a place has a zero byte in it, which no path may have: leave it out")
    if text.startswith(_ENVIRONMENT):
        _check_variable(text)
        return Reference(text)
    if is_folder(text):
        _check_folder(text)
        said = _FILE if text.startswith(_FILE) else ""
        return Reference(said + os.path.abspath(folder_of(text)))  # noqa: PTH100  # Path.absolute() keeps ".."
    text = _from_root(text)
    return Reference(text) if not holds_secret(text) else Reference(redacted_url(text), whole=False)


def _check_variable(text: str) -> None:
    if not _VARIABLE.fullmatch(text):
        # Not shown: it may be a URL with a secret.
        raise InvalidArgument(
            "what stands after env: is no name of a variable: write env:NAME, or the URL without env:"
        )


def _check_folder(text: str, what: str = "a place") -> None:
    scheme = _LIKE_URL.match(text)
    if scheme and not text.startswith(_FILE):
        raise InvalidArgument(
            f"{what} begins with {scheme[0]} and not with {scheme[0]}//: write a database URL with both slashes, or "
            "file:… for a folder of such a name"
        )


def _from_root(url: str) -> str:
    """A URL whose relative path of a SQLite file is an absolute one."""
    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.scheme != "sqlite" or parts.netloc or not path or path.startswith(("/", ":")):
        return url
    # Not put together again from its parts: urlunsplit would lose a slash.
    absolute = f"sqlite:///{quote(os.path.abspath(path))}"  # noqa: PTH100  # as above
    return f"{absolute}?{parts.query}" if parts.query else absolute


def holds_secret(url: str) -> bool:
    """Whether a URL has a secret in it, and not only references to secrets."""
    bare = _SECRET_REFERENCE.sub("", url)
    return redacted_url(bare) != bare


def check_lasting(url: str) -> None:
    """Refuse a URL under which each opening finds another, empty database.

    :raises InvalidArgument: it is such a one
    """
    if _FLEETING.match(url):
        raise InvalidArgument(
            f"each opening of {url} is another, empty database: give the database itself, as isthmus.connect opened it"
        )


def opened_again(reference: Reference, given: DatabaseBase) -> Database:
    """An opened database for the threads of a migration.

    :raises ConfigurationError: the plan was made with another one, or with a URL
    """
    if not reference.opened or given.url != reference.text:
        raise ConfigurationError(
            f"an opened database {given.url} is not what the plan was made with, {reference.text}: give the same again"
        )
    return given.blocking()


def resolve(reference: Reference, given: str | None = None) -> str:
    """The URL or folder that a reference stands for.

    :param given: the whole URL, where the reference had to leave out its secrets
    :raises ConfigurationError: the variable is not set, or the URL or the database has to be given again
    """
    if reference.opened:
        raise ConfigurationError(
            f"{reference.text} was given as an opened database when the migration was planned: give it again, with "
            "Migration.open(workdir, source=…, target=…)"
        )
    if reference.text.startswith(_ENVIRONMENT):
        return _from_environment(reference.text[len(_ENVIRONMENT) :])
    if reference.whole:
        return reference.text
    if given is None:
        raise ConfigurationError(
            f"the URL {reference.text} held secrets, which are not stored: give it again, or put it into a variable "
            "and name it as env:NAME when you plan"
        )
    again = reference_to(given)
    if again.text != reference.text:
        raise ConfigurationError(f"{again.text} is not the place of the plan, {reference.text}: give the same URL")
    return given


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set: put the URL of the database into it")
    check_lasting(value)
    if is_folder(value):
        _check_folder(value, f"the environment variable {name}")
    return value
