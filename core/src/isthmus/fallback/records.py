"""What is stored, and nothing else: locks in items, images, records of transactions, and their identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from os import urandom
from typing import Any, Final, Literal, cast

from attrs import evolve, field, frozen

from isthmus.errors import SchemaMismatch
from isthmus.fallback.store import ABSENT, LOCK, REV, Identity
from isthmus.operations import Action, Check, ItemKey, Revision
from isthmus.schema import Table
from isthmus.values import Item, Value, canonical_bytes
from isthmus.writes import ABSENT as NO_ITEM
from isthmus.writes import visible

FORMAT: Final = 1
State = Literal["pending", "committed", "aborted", "done"]
_STATES: tuple[State, ...] = ("pending", "committed", "aborted", "done")
_HIDDEN = frozenset({REV, LOCK})


def new_id() -> bytes:
    """16 random bytes: a revision, or the id of an attempt."""
    return urandom(16)


# ---- items ----


@frozen
class Lock:
    """Who holds an item: an attempt of the transaction with that record."""

    record: str
    attempt: bytes


def lock_of(item: Item | None) -> Lock | None:
    """The lock of a physical item, if it has one."""
    held = None if item is None else item.get(LOCK)
    return Lock(cast("str", held["id"]), cast("bytes", held["try"])) if isinstance(held, dict) else None


def identity_of(item: Item | None) -> Identity | None:
    """By what a swap knows this physical item again."""
    if item is None:
        return ABSENT
    lock = lock_of(item)
    return Identity(cast("bytes | None", item.get(REV)), None if lock is None else (lock.record, lock.attempt))


def stripped(item: Item) -> Item:
    """The item without its hidden attributes."""
    return {name: value for name, value in item.items() if name not in _HIDDEN}


def with_rev(item: Item, rev: bytes | str) -> Item:
    """A physical item that is not locked."""
    return {**item, REV: rev}


@frozen
class Image:
    """The content of an item that counts.

    :param item: its own attributes, expired or not; ``None`` where it does not exist
    :param version: never the same for other content; that of absence may come back
    :param physical: what a lock replaces: the unlocked physical item with this content
    :param idle: the item as it was found, if it has a lock of a transaction that does not go on
    :param over: whether that transaction can't be committed any more
    """

    item: Item | None
    version: Revision
    physical: Item | None
    idle: Item | None = field(default=None, eq=False)
    over: bool = False

    @property
    def absent(self) -> bool:
        """Whether there was nothing, not even an expired item."""
        return self.physical is None

    def revision(self, table: Table, now: float) -> Revision:
        """What a caller gets as the revision: an expired item counts as none."""
        return NO_ITEM if visible(table, self.item, now) is None else self.version


NOTHING = Image(None, NO_ITEM, None)


def unlocked_image(item: Item | None) -> Image:
    """The image of a physical item without a lock."""
    if item is None:
        return NOTHING
    own = stripped(item)
    # What other programs wrote has no revision of its own; its content must do.
    seen = item.get(REV)
    return Image(own, Revision(sha256(canonical_bytes(own)).digest() if seen is None else seen), item)


def locked(image: Image, key: ItemKey, table: Table, lock: Lock, action: Action | None, after: Item | None) -> Item:
    """The physical item that holds a lock: the image before, with the image after inside (rules R5, R15).

    :param action: ``None`` only keeps the item as it is, as a check does
    """
    held: Item = {"id": lock.record, "try": lock.attempt}
    if action is None or isinstance(action, Check):
        held["do"] = "keep"
    else:
        held["do"] = "delete" if after is None else "put"
        if after is not None:
            held["item"] = after
    if image.physical is None:
        return {**key, LOCK: {**held, "new": True}}
    if table.ttl is not None and table.ttl in image.physical:
        held["ttl"] = {table.ttl: image.physical[table.ttl]}
    return {**{name: value for name, value in image.physical.items() if name != table.ttl}, LOCK: held}


def released(item: Item) -> Item | None:
    """A locked physical item as it was before (rules R14, R15)."""
    held = cast("Mapping[str, Any]", item[LOCK])
    if held.get("new"):
        return None
    return {**{name: value for name, value in item.items() if name != LOCK}, **held.get("ttl", {})}


def applied(item: Item) -> Item | None:
    """A locked physical item as its transaction wants it."""
    held = cast("Mapping[str, Any]", item[LOCK])
    if held["do"] == "keep":
        return released(item)
    return with_rev(held["item"], held["try"]) if held["do"] == "put" else None


def image_before(item: Item, *, idle: bool = False, over: bool = False) -> Image:
    """What counts as long as the lock's transaction is not committed."""
    image = unlocked_image(released(item))
    return evolve(image, idle=item, over=over) if idle or over else image


def image_after(item: Item) -> Image:
    """What counts once it is."""
    return unlocked_image(applied(item))


# ---- records ----


@frozen
class Named:
    """An item as a record names it: by table and key."""

    table: str
    key: ItemKey


@frozen
class Record:
    """The state of a transaction; it alone says which images of its items count.

    :param beat: how often the lease was renewed
    :param lease_ms: length of the lease, milliseconds
    :param lease_until: end of the lease by the wall clock of its owner, milliseconds since the epoch
    :param purge_at: when an ended record may go, seconds since the epoch
    """

    id: str
    attempt: bytes
    state: State
    items: tuple[Named, ...]
    lease_ms: int
    lease_until: int
    beat: int = 0
    digest: bytes | None = None
    purge_at: int | None = None
    _rev: bytes = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # State, attempt and beat never come back together, so they are the identity.
        rev = self.attempt + bytes([_STATES.index(self.state)]) + self.beat.to_bytes(4, "big")
        object.__setattr__(self, "_rev", rev)

    @property
    def lock(self) -> Lock:
        """What its locks say."""
        return Lock(self.id, self.attempt)

    @property
    def identity(self) -> Identity:
        """By what a swap knows it again."""
        return Identity(self._rev)

    def is_of(self, lock: Lock) -> bool:
        """Whether it is still the record of the attempt that placed this lock."""
        return self.id == lock.record and self.attempt == lock.attempt

    def to_item(self) -> Item:
        """The physical item."""
        item: Item = {
            "id": self.id, "try": self.attempt, "state": self.state, "format": FORMAT, REV: self._rev,
            "items": [[named.table, dict(named.key)] for named in self.items],
            "beat": self.beat, "lease_ms": self.lease_ms, "lease_until": self.lease_until,
        }  # fmt: skip
        optional: Sequence[tuple[str, Value]] = (("digest", self.digest), ("purge_at", self.purge_at))
        return {**item, **{name: value for name, value in optional if value is not None}}

    @classmethod
    def from_item(cls, item: Item) -> Record:
        """The record that a physical item holds.

        :raises SchemaMismatch: another version of Isthmus wrote it in a way that this one does not know
        """
        if item.get("format") != FORMAT:
            raise SchemaMismatch(
                f"a transaction record has format {item.get('format')!r}, this Isthmus knows {FORMAT} only: update it"
            )
        known: Any = item
        return cls(
            known["id"], known["try"], known["state"], tuple(Named(table, key) for table, key in known["items"]),
            known["lease_ms"], known["lease_until"], known["beat"], known.get("digest"), known.get("purge_at"),
        )  # fmt: skip


RECORD_TABLE = Table("isthmus_transactions", "id", ttl="purge_at")
"""The table that holds the records; all clients of a database must agree on it."""


def chosen(item: Item, record: Record | None) -> Image | None:
    """The image of a locked item that counts by the record of its lock; ``None``: that record can't tell (rule R12)."""
    lock = lock_of(item)
    if record is None or lock is None or not record.is_of(lock) or record.state == "done":
        return None
    return image_after(item) if record.state == "committed" else image_before(item, over=record.state == "aborted")
