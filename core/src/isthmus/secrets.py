"""Secrets that the configuration refers to instead of holding them.

An option's value of the form ``secret:KIND:WHERE`` is replaced when the configuration is read. The core knows
``secret:env:NAME`` (a variable) and ``secret:file:/path`` (a file's text without its last line break). Other kinds come
from plugins that implement ``isthmus_resolve_secret``, which gets the text after ``secret:``; the options of such a
plugin may themselves refer to the core's kinds only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import pluggy

from isthmus.errors import ConfigurationError
from isthmus.hookspecs import hookimpl
from isthmus.plugins import Plugin

PREFIX = "secret:"


class CoreSecrets(Plugin):
    """Resolves ``env:NAME`` and ``file:/path``; active whenever a configuration is read."""

    name: ClassVar[str] = "isthmus-secrets"

    @hookimpl(trylast=True)
    def isthmus_resolve_secret(self, reference: str) -> str | None:
        kind, _, place = reference.partition(":")
        if kind == "env":
            return _variable(place)
        return _file(place) if kind == "file" else None


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigurationError(f"variable {name!r}, which a secret refers to, is not set")
    return value


def _file(place: str) -> str:
    try:
        text = Path(place).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"file {place!r}, which a secret refers to, can't be read: {reason}") from None
    return text.removesuffix("\n").removesuffix("\r")


def is_reference(value: Any) -> bool:
    """Whether a value refers to a secret."""
    return isinstance(value, str) and value.startswith(PREFIX)


def resolve_secret(value: str, manager: pluggy.PluginManager) -> str:
    """The secret that a reference stands for.

    :raises ConfigurationError: nothing is there, or no active plugin knows this kind of reference
    """
    reference = value.removeprefix(PREFIX)
    secret: str | None = manager.hook.isthmus_resolve_secret(reference=reference)
    if secret is None:
        kind = reference.partition(":")[0]
        raise ConfigurationError(
            f"no active plugin resolves secrets of kind {kind!r}: write secret:env:NAME or secret:file:/path"
        )
    return secret
