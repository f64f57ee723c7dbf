"""What travels between the coordinator and its workers: small, frozen, without clients and without secrets."""

from __future__ import annotations

from typing import Any, Final, Literal

from attrs import evolve, field, frozen

Phase = Literal["decode", "transform", "encode", "write"]

CLAIM_BYTES: Final = 16
"""Bytes of the hash by which a slice claims a key of the target."""


@frozen
class Unit:
    """A part of a table that one worker at a time works on.

    :param id: its name in the journal, unique within a phase of a run
    :param table: the source's table
    :param spec: what the source wrote down for itself when it divided the table
    """

    id: str
    table: str
    spec: str


@frozen
class Budget:
    """What one slice may take. The coordinator divides the allowed rates among the slices in flight.

    :param items: most items
    :param size: most bytes of items, about
    :param items_per_second: no faster than this; ``None`` is unbounded, here and below
    :param bytes_per_second: counted by the contract's size of items
    :param read_units: DynamoDB read units a second, by the size of items
    :param write_units: DynamoDB write units a second, by the size of items
    """

    items: int = 1_000
    size: int = 8_000_000
    items_per_second: float | None = None
    bytes_per_second: float | None = None
    read_units: float | None = None
    write_units: float | None = None


@frozen
class SliceTask:
    """One slice that a worker shall do.

    :param phase: which function does it: ``copy``, ``verify`` …
    :param number: counts all slices that this journal ever handed out, so a later attempt has a higher one
    :param sequence: counts the journaled slices of the unit
    :param cursor: where to begin; ``None`` is the unit's beginning
    :param unsettled: numbers of earlier slices of this unit that were never journaled and may have written items that
        come after this cursor
    :param granted: fingerprint of the claims that this slice was granted; empty before it made any
    :param refused: hashes of the target's keys that items of other slices have claimed before
    """

    phase: str
    unit: Unit
    number: int
    sequence: int
    cursor: str | None
    budget: Budget = Budget()
    unsettled: tuple[int, ...] = ()
    granted: bytes = b""
    refused: frozenset[bytes] = frozenset()


@frozen
class Counts:
    """What was done. Counts add up.

    :param read: items that were read from the source, those included that became dead letters
    :param written: items that the target acknowledged
    :param unchanged: items that the target had already, equal
    :param skipped: items that were left out as the plan says: filtered, expired, or kept as they are in the target
    :param dead: items that became dead letters
    :param size: bytes of the canonical text of the items read
    :param retried: requests that were sent again
    :param throttled: requests or members of batches that the store turned away for a moment
    """

    read: int = 0
    written: int = 0
    unchanged: int = 0
    skipped: int = 0
    dead: int = 0
    size: int = 0
    retried: int = 0
    throttled: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        """All counts, in the order of the fields."""
        return (
            self.read, self.written, self.unchanged, self.skipped, self.dead, self.size, self.retried, self.throttled,
        )  # fmt: skip


@frozen
class DeadLetter:
    """An item that could not be moved, with everything that is needed to look at it and to try again.

    :param key: the key attributes of the source's item as lossless JSON text; text in the store's own words where the
        key can't be read
    :param code: an error's code, ``item_too_large`` say
    :param reason: what is wrong and where, never a value
    :param original: the item as it was read: the store's own bytes where it could not be decoded
    :param form: what ``original`` is: ``json`` for lossless JSON text, else the store's own form
    """

    table: str
    key: str
    phase: Phase
    code: str
    reason: str
    original: bytes = field(repr=False)
    form: str = "json"


@frozen
class SliceResult:
    """What became of one slice; all of it is journaled at once, or nothing.

    :param cursor: where the unit goes on; ``None`` at its end
    :param digests: packed digests by side: ``source`` is what was read, ``expected`` what the target should hold
    :param claims: hashes of the target's keys, 16 bytes each, where two items of the source could have one key: those
        that a pending slice wants, or those that a slice gives back because it did not write their items
    :param pending: whether nothing was written yet: the slice waits until its claims are granted
    :param found: what the phase is looking for (differences, conflicts), as JSON-ready data
    :param moved: whether an item has another key in the target than in the source
    :param seconds: how long the worker took, waits included
    :param waited: seconds in which the worker kept to the allowed rates
    :param owed: seconds for which it should have gone on waiting, and did not
    """

    task: SliceTask
    cursor: str | None
    counts: Counts = Counts()
    digests: dict[str, bytes] = field(factory=dict, repr=False)
    dead: tuple[DeadLetter, ...] = ()
    claims: bytes = field(default=b"", repr=False)
    pending: bool = False
    found: tuple[dict[str, Any], ...] = ()
    moved: bool = False
    seconds: float = 0.0
    waited: float = 0.0
    owed: float = 0.0

    def with_counts(self, **more: int) -> SliceResult:
        """A copy with further counts."""
        return evolve(self, counts=self.counts + Counts(**more))
