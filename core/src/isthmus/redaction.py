"""Leaving secrets out of what people and logs see."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

HIDDEN = "***"
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|auth", re.IGNORECASE)
# What stands before user and password: "scheme://", "//", or nothing where that was forgotten.
_START = r"((?:[^:/?#@]*:)?//|(?!(?:[^:/?#@]*:)?//))"
# Up to the last @: a password that should have been percent-encoded, with a / or ? in it, must not slip through.
_PASSWORD = re.compile(rf"^{_START}([^:/?#@]*):(.*)@", re.DOTALL)
# A name without a password may be a token.
_USER = re.compile(rf"^{_START}[^/?#]*@")
_OPTION = re.compile(r"([?&;])([^=&;#]*)=([^&;#]*)")


def is_secret_name(name: str) -> bool:
    """Whether an option of that name may hold a secret."""
    return _SECRET_NAME.search(name) is not None


def redacted_url(url: str) -> str:
    """The URL without its password, a lone user name, and secret options; it need not be valid."""
    shown = _PASSWORD.sub(_hide_password, url) if _PASSWORD.match(url) else _USER.sub(rf"\1{HIDDEN}@", url)
    return _OPTION.sub(_hide_option, shown)


def _hide_password(match: re.Match[str]) -> str:
    start, user, password = match.groups()
    return f"{start}{user}:{HIDDEN}@" if password else f"{start}{HIDDEN}@"


def _hide_option(match: re.Match[str]) -> str:
    mark, name, _value = match.groups()
    return f"{mark}{name}={HIDDEN}" if is_secret_name(unquote_plus(name)) else match.group()
