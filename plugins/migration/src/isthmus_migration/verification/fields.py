"""Where two items differ: paths and kinds of difference, never values."""

from __future__ import annotations

from typing import Any

from isthmus.values import Item
from isthmus_migration.transforms import difference
from isthmus_migration.transforms.paths import shown

_MOST = 100
"""Differences of one item that are written down."""


def field_differences(expected: Item, found: Item) -> list[dict[str, Any]]:
    """The fields in which the target's item differs from what it should be.

    :return: for each field its ``path``, its ``kind`` (``added``, ``removed``, ``renamed``, ``changed``, or ``type``
        where the types differ too) and the ``types`` that were expected and found
    """
    changes = difference(expected, found)
    return [
        {"path": shown(change.path), "kind": _kind(change.kind, change.types), "types": list(change.types)}
        for change in changes[:_MOST]
    ]


def _kind(kind: str, types: tuple[str | None, str | None]) -> str:
    return "type" if kind == "changed" and types[0] != types[1] else kind
