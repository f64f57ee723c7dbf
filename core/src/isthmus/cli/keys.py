"""Key values on the command line: text that becomes what the table's schema says."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from isthmus.errors import InvalidKey
from isthmus.schema import Key, Table


def key_value(key: Key, text: str) -> Any:
    """The value of a key attribute: text, a number, or binary written in base64.

    :raises InvalidKey: the text is not of the key's type
    """
    if key.type == "string":
        return text
    try:
        return Decimal(text) if key.type == "number" else a2b_base64(text, strict_mode=True)
    except (InvalidOperation, Base64Error, ValueError):
        wanted = "a number" if key.type == "number" else "binary: write it in base64"
        raise InvalidKey(f"key attribute {key.name!r} is {wanted}") from None


def item_key(table: Table, words: Sequence[str]) -> dict[str, Any]:
    """The key of one item, from values in the order of the key or from ``name=value``.

    :raises InvalidKey: too few or many, or of another type
    """
    wanted = " and ".join(table.key_names)
    if len(words) != len(table.keys):
        raise InvalidKey(f"table {table.name!r} has the key {wanted}: give {len(table.keys)} values, not {len(words)}")
    named = dict(word.split("=", 1) for word in words if word.partition("=")[0] in table.key_names and "=" in word)
    if len(named) != len(words):
        named = dict(zip(table.key_names, words, strict=True))
    return {key.name: key_value(key, named[key.name]) for key in table.keys}


def query_key(table: Table, index: str | None, words: Iterable[str]) -> dict[str, Any]:
    """Key attributes for a query, from ``name=value``.

    :raises InvalidKey: a word names no key attribute, or has a value of another type
    """
    keys = {key.name: key for key in (table.keys if index is None else table.index(index).keys)}
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in keys:
            raise InvalidKey(f"a query of {index or table.name!r} takes {' and '.join(keys)}, as name=value")
        found[name] = key_value(keys[name], text)
    return found
