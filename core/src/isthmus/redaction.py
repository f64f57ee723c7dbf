"""Leaving secrets out of what people and logs see."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

HIDDEN = "***"
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|auth", re.IGNORECASE)
# Up to the last @: a password that should have been percent-encoded, with a / or ? in it, must not slip through.
_PASSWORD = re.compile(r"^([^:/?#]*://[^:/?#@]*):.*@", re.DOTALL)
_OPTION = re.compile(r"([?&;])([^=&;#]*)=([^&;#]*)")


def is_secret_name(name: str) -> bool:
    """Whether an option of that name may hold a secret."""
    return _SECRET_NAME.search(name) is not None


def redacted_url(url: str) -> str:
    """The URL without its password and without secret options; it need not be valid."""
    return _OPTION.sub(_hide_option, _PASSWORD.sub(rf"\1:{HIDDEN}@", url))


def _hide_option(match: re.Match[str]) -> str:
    mark, name, _value = match.groups()
    return f"{mark}{name}={HIDDEN}" if is_secret_name(unquote_plus(name)) else match.group()
