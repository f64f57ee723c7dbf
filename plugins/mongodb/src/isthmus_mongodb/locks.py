"""Transactions of the core's fallback, as single-item plans meet them: a lock in the document, and a revision.

Where they may run, no plan writes to a document with a lock, and each write leaves a revision that was never there
before. A reader hands a locked document on with both, because the core alone knows which image counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from isthmus.errors import InvalidStoredValue
from isthmus.fallback.store import LOCK, REV, Locked
from isthmus.results import Page
from isthmus.values import Item
from isthmus_mongodb.expressions import REMOVED, Expression, is_missing
from isthmus_mongodb.layouts import REVISION, TRANSACTION, Layout
from isthmus_mongodb.values import Document, decode_item, decode_value

UNLOCKED: Final[Mapping[str, Any]] = {TRANSACTION: {"$exists": False}}
"""Matches documents that no transaction holds."""

LOCKED: Final[Mapping[str, Any]] = {TRANSACTION: {"$exists": True}}
"""Matches documents that a transaction holds."""

IS_UNLOCKED: Final[Expression] = is_missing(f"${TRANSACTION}")
"""The same as an expression."""


_HELD: Final = "__held"

_WHOLE_IF_HELD: Final[Expression] = {"$cond": [IS_UNLOCKED, REMOVED, "$$ROOT"]}

WHOLE: Final[Mapping[str, Any]] = {_HELD: _WHOLE_IF_HELD}
"""What a projection adds, because a document with a lock is answered whole."""


def new_revision() -> bytes:
    """A revision that no document has had."""
    return os.urandom(16)


def is_locked(document: Mapping[str, Any] | None) -> bool:
    """Whether a transaction holds the whole document."""
    return document is not None and TRANSACTION in document


def held(document: Mapping[str, Any]) -> Document | None:
    """The whole document behind an answer, if a transaction holds it."""
    if TRANSACTION in document:
        return dict(document)
    found: Document | None = document.get(_HELD)
    return found


def locked() -> Locked:
    """The error of a write that met a lock."""
    return Locked("a transaction holds the item for the moment: retry")


def decode_physical(layout: Layout, document: Mapping[str, Any]) -> Item:
    """The item behind a document, with revision and lock.

    :raises InvalidStoredValue: it holds what is no portable value
    """
    item = decode_item(layout, document)
    if REVISION in document:
        item[REV] = document[REVISION]
    if TRANSACTION in document:
        item[LOCK] = _decode_lock(document[TRANSACTION])
    return item


def _decode_lock(stored: Any) -> Any:
    try:
        return decode_value(stored)
    except Exception as error:
        raise InvalidStoredValue(
            "a lock that can't be read is not of Isthmus: remove the field __tx of the document with another client"
        ) from error


def decode_candidate(layout: Layout, document: Mapping[str, Any]) -> Item:
    """The item behind a document; one that a transaction holds with its lock."""
    whole = held(document)
    return decode_item(layout, document) if whole is None else decode_physical(layout, whole)


# ---- counts ----


def count_stages(match: Mapping[str, Any]) -> list[Document]:
    """A pipeline that counts the documents without a lock, and answers those with one."""
    group = {"_id": {"$cond": [IS_UNLOCKED, None, "$_id"]}, "count": {"$sum": 1}, "whole": {"$first": _WHOLE_IF_HELD}}
    return [{"$match": match}, {"$group": group}]


def counted(layout: Layout, groups: Sequence[Mapping[str, Any]]) -> Page:
    """The page that such a pipeline's answer stands for."""
    items = [decode_physical(layout, group["whole"]) for group in groups if group["_id"] is not None]
    count = sum(group["count"] for group in groups if group["_id"] is None)
    return Page(items, count=count, examined=count + len(items))
