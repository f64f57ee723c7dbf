"""Two items of the source with one key in the target: the first one stays, the others become dead letters.

Which item is the first must not depend on who writes last. So where keys can collide, a slice claims its keys from the
coordinator before it writes anything, and leaves out those that were claimed before. It reads its items again after
that; what it keeps in memory would be lost with its worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.digests import canonical_text
from isthmus_migration.slices.account import Account, Move
from isthmus_migration.tasks import CLAIM_BYTES

CODE: Final = "key_collision"
REASON: Final = "another item of the source has the same key in the target, and was first"


def may_collide(account: Account) -> bool:
    """Whether two items of the source could have one key in the target."""
    return account.work.transform.changes_keys or not account.worker.source.unique_keys


def distinct(account: Account, moves: list[Move]) -> list[Move]:
    """The moves without those whose key an earlier one of the slice has."""
    names, seen, kept = account.target_table.key_names, set[tuple[Any, ...]](), []
    for move in moves:
        key = tuple([move.target[name] for name in names])
        if key in seen:
            account.bury(move.source, "transform", CODE, REASON)
        else:
            seen.add(key)
            kept.append(move)
    return kept


def claims_of(account: Account, moves: Sequence[Move]) -> list[bytes]:
    """The claims of some moves, in order."""
    return [claim_of(account.target_table, move.target) for move in moves]


def granted(account: Account, moves: list[Move], claims: list[bytes]) -> list[Move]:
    """The moves without those whose keys were refused."""
    refused, kept = account.task.refused, []
    for move, claim in zip(moves, claims, strict=True):
        if claim in refused:
            account.bury(move.source, "transform", CODE, REASON)
        else:
            kept.append(move)
    return kept


def claim_of(table: Table, item: Item) -> bytes:
    """The claim of an item's key."""
    data = table.name.encode() + b"\0" + canonical_text([item[name] for name in table.key_names])
    return sha256(data).digest()[:CLAIM_BYTES]


def fingerprint(claims: bytes) -> bytes:
    """Bytes by which a slice knows its claims again: its source may have changed in between."""
    return sha256(claims).digest()
