"""Looking keys up on both sides, as often as needed to be sure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from attrs import evolve, field, frozen

from isthmus.errors import IsthmusError
from isthmus.schema import Table
from isthmus.values import Item, dumps, loads
from isthmus.writes import expired
from isthmus_migration.dead.replayed import Replayed
from isthmus_migration.digests import item_digest
from isthmus_migration.places.base import Place
from isthmus_migration.places.readable import readable_items
from isthmus_migration.slices.worker import TableWork, Worker
from isthmus_migration.transforms import TransformError
from isthmus_migration.verification.candidates import Candidate
from isthmus_migration.verification.reading import UNREADABLE


@frozen
class Held:
    """What is, or should be, under a key of the target.

    :param item: ``None`` where only its digest is known, or where it can't be read, or not be transformed
    :param source_key: of the source's item, as text
    :param original: digest of the source's item itself, where it was read now
    """

    digest: int
    item: Item | None = field(default=None, repr=False)
    expired: bool = False
    source_key: str | None = field(default=None, repr=False)
    original: int | None = None


ReplayedBy = Callable[[Iterable[str]], dict[str, list[Replayed]]]
"""What replays with another transform have written of some items of the source, by their keys."""


def _none_replayed(_keys: Iterable[str]) -> dict[str, list[Replayed]]:
    return {}


@frozen
class Both:
    """What both sides hold under a key."""

    candidate: Candidate
    sources: tuple[Held, ...]
    targets: tuple[Held, ...]


class LookUp:
    """Reads the keys of candidates on both sides.

    Where a place would have to read everything for a look-up, what the candidate says of it counts: nobody writes to
    an export.

    :param insist: look keys up in any place, whatever it costs
    :param replayed: tells where it is not the plan's transform that says what the target should hold
    """

    def __init__(
        self, worker: Worker, work: TableWork, *, insist: bool = False, replayed: ReplayedBy = _none_replayed
    ) -> None:
        self._worker = worker
        self._work = work
        self._replayed = replayed
        self._reads_source = insist or worker.source.holds_keys
        self._reads_target = insist or worker.target.holds_keys

    def both(self, candidates: Sequence[Candidate]) -> list[Both]:
        """What both sides hold under the candidates' keys."""
        sources = self._sources(candidates) if self._reads_source else [_noted_sources(one) for one in candidates]
        sources = self._with_replayed(candidates, sources)
        targets = self._targets(candidates) if self._reads_target else [_noted_targets(one) for one in candidates]
        return [Both(*three) for three in zip(candidates, sources, targets, strict=True)]

    def _sources(self, candidates: Sequence[Candidate]) -> list[tuple[Held, ...]]:
        wanted = [self._source_keys(one) for one in candidates]
        keys = list(dict.fromkeys(key for some in wanted for key in some))
        items = dict(zip(keys, _get(self._worker.source, self._work.plan.source, keys), strict=True))
        held = {key: self._image(key, item) for key, item in items.items()}
        return [
            tuple(image for key in some if (image := held[key]) is not None and self._belongs(image, one))
            if self._worker.source.unique_keys or len(some) >= len(one.sources)
            else _noted_sources(one)  # several items of an export have one key: a look-up finds only one of them
            for one, some in zip(candidates, wanted, strict=True)
        ]

    def _belongs(self, image: Held, candidate: Candidate) -> bool:
        """Whether an image still has the candidate's key: the source's item may have changed since."""
        if image.item is None or not self._work.transform.changes_keys:
            return True
        return dumps(self._work.plan.target.key_of(image.item)) == candidate.key

    def _with_replayed(
        self, candidates: Sequence[Candidate], sources: list[tuple[Held, ...]]
    ) -> list[tuple[Held, ...]]:
        """What the target should hold, where replays have decided that; not what the plan's transform makes of it."""
        by_key = self._replayed({key for one in candidates for key, _digest in one.sources if key is not None})
        if not by_key:
            return sources
        unique = self._worker.source.unique_keys
        return [
            tuple([held for held in some if not (unique and held.source_key in by_key)] + self._made(one, by_key))
            for one, some in zip(candidates, sources, strict=True)
        ]

    def _made(self, candidate: Candidate, by_key: dict[str, list[Replayed]]) -> list[Held]:
        table = self._work.plan.target
        keys = dict.fromkeys(key for key, _digest in candidate.sources if key is not None)
        written = [one for key in keys for one in by_key.get(key, ()) if one.key == candidate.key]
        return [
            Held(int(one.digest, 16), None, self._is_over(table, one), one.source_key) for one in written
        ]  # fmt: skip

    @staticmethod
    def _is_over(table: Table, written: Replayed) -> bool:
        return table.ttl is not None and expired(table, {table.ttl: written.expires}, time.time())

    def _source_keys(self, candidate: Candidate) -> list[str]:
        """Under which keys the source may have what belongs to a key of the target."""
        if not candidate.sources and not self._work.transform.changes_keys:
            # The source had none when it was read; it may have one by now.
            return [candidate.key]
        return list(dict.fromkeys(key for key, _digest in candidate.sources if key is not None))

    def _image(self, key: str, item: Item | Held | None) -> Held | None:
        """What the target should hold of the source's item; nothing where the item is gone, or left out."""
        if item is None:
            return None
        if isinstance(item, Held):
            return evolve(item, source_key=key)
        try:
            image = self._work.transform(item)
        except TransformError:
            return Held(UNREADABLE, source_key=key, original=item_digest(item))
        if image is None:
            return None
        gone = expired(self._work.plan.target, image, time.time())
        return Held(item_digest(image), image, gone, key, item_digest(item))

    def _targets(self, candidates: Sequence[Candidate]) -> list[tuple[Held, ...]]:
        table = self._work.plan.target
        found = _get(self._worker.target, table, [one.key for one in candidates])
        return [() if item is None else (item if isinstance(item, Held) else Held(item_digest(item), item),)
                for item in found]  # fmt: skip


def _noted_sources(candidate: Candidate) -> tuple[Held, ...]:
    return tuple(Held(digest, source_key=key) for key, digest in candidate.sources)


def _noted_targets(candidate: Candidate) -> tuple[Held, ...]:
    return tuple(Held(digest) for digest in candidate.targets)


def _get(place: Place, table: Table, keys: Sequence[str]) -> list[Item | Held | None]:
    return get_readable(place, table, [cast("Item", loads(key)) for key in keys])


def get_readable(place: Place, table: Table, keys: Sequence[Item]) -> list[Item | Held | None]:
    """The items of some keys; one that can't be read is a ``Held`` without item.

    :raises IsthmusError: the place can't be used now
    """
    found = readable_items(place, table, keys)
    return [Held(UNREADABLE) if isinstance(item, IsthmusError) else item for item in found]
