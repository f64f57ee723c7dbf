"""Revisions: what a reader saw of an item, as a digest of the whole document, hidden fields and all."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from bson import encode

from isthmus import operations as op
from isthmus.values import Item
from isthmus.writes import ABSENT, require_unchanged
from isthmus_mongodb.layouts import LOCK
from isthmus_mongodb.values import CODEC_OPTIONS


def revision_of(document: Mapping[str, Any] | None, item: Item | None) -> op.Revision:
    """The revision of what is stored under a key.

    :param item: the visible item behind the document; an expired one is absent
    """
    if document is None or item is None:
        return ABSENT
    # The counter tells that others have looked, not that anything was changed.
    seen = {name: value for name, value in document.items() if name != LOCK}
    return op.Revision(sha256(encode(seen, codec_options=CODEC_OPTIONS)).digest())


def check_seen(action: op.Action, document: Mapping[str, Any] | None, item: Item | None) -> None:
    """Judge what an action relies on having seen.

    :raises ItemChanged: something else is stored now
    """
    if action.unchanged is not None:
        require_unchanged(action, revision_of(document, item))
