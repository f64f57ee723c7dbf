"""Binary attribute values for boto3, which wants bytes where the wire has base64 text."""

from __future__ import annotations

from base64 import b64decode
from typing import Any


def with_bytes(value: Any) -> Any:
    """The request with bytes in place of the base64 text of binary values; nothing else changes."""
    if isinstance(value, dict):
        if len(value) == 1:
            kind, inner = next(iter(value.items()))
            if kind == "B" and isinstance(inner, str):
                return {"B": b64decode(inner)}
            if kind == "BS":
                return {"BS": _set(inner)}
        return {name: with_bytes(inner) for name, inner in value.items()}
    return [with_bytes(inner) for inner in value] if isinstance(value, list) else value


def _set(members: Any) -> Any:
    # An attribute may be named BS: then its value is a dictionary.
    if not isinstance(members, list):
        return with_bytes(members)
    return [b64decode(member) if isinstance(member, str) else member for member in members]
