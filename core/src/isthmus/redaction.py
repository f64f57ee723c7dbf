"""Leaving secrets out of what people and logs see."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

HIDDEN = "***"
_SECRET_NAME = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether an option of that name may hold a secret."""
    return _SECRET_NAME.search(name) is not None


def redacted_url(url: str) -> str:
    """The URL without its password and without secret options."""
    parts = urlsplit(url)
    place = parts.netloc
    if "@" in place:
        user, host = place.rsplit("@", 1)
        place = f"{user.split(':', 1)[0]}:{HIDDEN}@{host}" if ":" in user else place
    if not parts.query:
        return url if place == parts.netloc else urlunsplit(parts._replace(netloc=place))
    options = [(name, HIDDEN if is_secret_name(name) else value) for name, value in parse_qsl(parts.query, True)]
    return urlunsplit(parts._replace(netloc=place, query=urlencode(options, safe="*/:")))
