"""Physical items as documents: what one swap of the core's means to the server.

A lock is a field of the document that it concerns. What takes it or gives it back touches that field alone, and the
hidden date of expiry, so that everything else in the document stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen

from isthmus.fallback.store import LOCK, REV, Identity, Swap
from isthmus.values import Item
from isthmus_mongodb.layouts import EXPIRY, REVISION, TRANSACTION, Layout
from isthmus_mongodb.locks import UNLOCKED
from isthmus_mongodb.native import Call
from isthmus_mongodb.values import Document, encode_item, encode_key, encode_value, hidden_fields

Kind = Literal["insert", "update", "delete"]

_HIDDEN: Final = frozenset({REV, LOCK})


@frozen
class Statement:
    """One write of one document.

    :param where: what the document has to be; of an insert nothing
    :param change: the new document or the operators, for all but a delete
    """

    kind: Kind
    where: Document
    change: Document

    def call(self, collection: str) -> Call:
        """The request that sends it alone."""
        if self.kind == "insert":
            return Call(collection, "insert_one", (self.change,))
        if self.kind == "delete":
            return Call(collection, "delete_one", (self.where,))
        operators = next(iter(self.change)).startswith("$")
        return Call(collection, "update_one" if operators else "replace_one", (self.where, self.change))

    def member(self) -> Document:
        """What it is inside a command of many."""
        if self.kind == "insert":
            return self.change
        return {"q": self.where, "limit": 1} if self.kind == "delete" else {"q": self.where, "u": self.change}


def statement_of(layout: Layout, swap: Swap) -> Statement:
    """The write that a swap stands for."""
    new, expected = swap.new, swap.expected
    if expected is None:
        # Nothing in the place of nothing is a swap too, but the core has no use for it.
        assert new is not None
        return Statement("insert", {}, encode_physical(layout, new))
    where = _identified(layout, swap, expected)
    if new is None:
        return Statement("delete", where, {})
    if new.get(REV) == expected.rev and (LOCK in new or expected.lock is not None):
        return Statement("update", where, _lock_changes(layout, new))
    return Statement("update", where, encode_physical(layout, new))


def _identified(layout: Layout, swap: Swap, expected: Identity) -> Document:
    rev: Any = {"$exists": False} if expected.rev is None else expected.rev
    found: Document = {"_id": encode_key(layout, swap.place.key), REVISION: rev}
    if expected.lock is None:
        return {**found, **UNLOCKED}
    return {**found, f"{TRANSACTION}.id": expected.lock[0], f"{TRANSACTION}.try": expected.lock[1]}


def encode_physical(layout: Layout, item: Item) -> Document:
    """The whole document of a physical item. While it is locked the server must not let it expire."""
    document = encode_item(layout, _own(item))
    if REV in item:
        document[REVISION] = item[REV]
    if LOCK in item:
        document[TRANSACTION] = encode_value(item[LOCK])
        document.pop(EXPIRY, None)
    return document


def _lock_changes(layout: Layout, new: Item) -> Document:
    """The operators that put a lock into a document or take it out, which is the same otherwise."""
    if LOCK in new:
        return {"$set": {TRANSACTION: encode_value(new[LOCK])}, "$unset": {EXPIRY: ""}}
    expiry = {name: date for name, date in hidden_fields(layout, _own(new)).items() if name == EXPIRY}
    return {"$unset": {TRANSACTION: ""}, **({"$set": expiry} if expiry else {})}


def _own(item: Mapping[str, Any]) -> Item:
    return {name: value for name, value in item.items() if name not in _HIDDEN}
