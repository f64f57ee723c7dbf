"""Putting a sample through everything but the writing: decoding, the transform, and the target's limits."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import define, evolve, field

from isthmus.deviations import DeviationKind, check_item
from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.values import Item
from isthmus.writes import expired
from isthmus_migration.digests import canonical_text
from isthmus_migration.places.base import Place
from isthmus_migration.places.readable import readable_items
from isthmus_migration.plans.apart import Trial, Untried
from isthmus_migration.plans.estimates import Sampled
from isthmus_migration.plans.findings import Finding, Level
from isthmus_migration.plans.sampling import Taken, take_sample
from isthmus_migration.transforms import Sample, TransformError
from isthmus_migration.transforms.paths import shown

KEPT: Final = 100
"""So many samples of a table are kept for showing what the transform does."""
_MOST_BYTES: Final = 32_000_000
"""A sample of larger items than usual ends here, whatever their number."""
_CODES: Final[Mapping[DeviationKind, str]] = {
    "key": "invalid_key", "index_key": "invalid_key", "size": "item_too_large", "value": "invalid_value",
}  # fmt: skip


@define
class SampleCheck:
    """Looks at the items of one table.

    :param source: the table's definition in the source
    :param target: in the target
    :param trial: of its transform
    :ivar samples: the first items with what the transform made of them
    """

    here: Place
    there: Place
    source: Table
    target: Table
    trial: Trial
    findings: list[Finding] = field(factory=list)
    samples: list[Sample] = field(factory=list)
    sampled: Sampled = field(factory=Sampled)
    _declared: Table = field(init=False)
    _keys: set[bytes] = field(factory=set, init=False)
    _unique: set[tuple[str, bytes]] = field(factory=set, init=False)
    _expired: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        # Versions and timestamps are copied as they are, not maintained.
        self._declared = evolve(self.target, version=None, created_at=None, updated_at=None)

    def run(self, units: Iterable[str], size: int, seed: int) -> None:
        """Look at about so many items."""
        try:
            for taken in take_sample(self.here, self.source, list(units), size, random.Random(seed)):  # noqa: S311  # a sample
                self._look_at(taken)
                if self.sampled.size > _MOST_BYTES:
                    break
        except Untried as error:
            self.sampled.whole = self.sampled.tried = False
            self.findings.append(Finding("warning", error.code, self.source.name, error.message))
        self._note_expired()

    def _look_at(self, taken: Taken) -> None:
        begun, overhead = time.perf_counter(), self.trial.overhead
        for fault in taken.slice.unreadable:
            self._note_unreadable(fault)
            self.sampled.items += 1
        for item in taken.slice.items:
            self._check(item)
            self.sampled.items += 1
        self.sampled.seconds += taken.seconds + time.perf_counter() - begun - (self.trial.overhead - overhead)
        self.sampled.whole = taken.last

    def present(self) -> int:
        """How many of the sampled keys the target has items under."""
        if not self.there.holds_keys:
            return 0
        return sum(item is not None for item in readable_items(self.there, self.target, self.sampled.keys))

    def _check(self, item: Item) -> None:
        sample = self._transformed(item)
        self.sampled.add(item)
        if len(self.samples) < KEPT:
            self.samples.append(sample)
        if sample.error is not None:
            path = shown(sample.error.path) if sample.error.path else None
            self._note("error", sample.error.code, item, sample.error.message, path)
        elif sample.after is not None:
            self._check_target(item, sample.after)

    def _transformed(self, item: Item) -> Sample:
        try:
            return Sample(item, self.trial.transform(item))
        except TransformError as error:
            return Sample(item, None, error)

    def _check_target(self, item: Item, target: Item) -> None:
        canonical_text(target)  # so that the time it takes is measured too
        if expired(self._declared, target, time.time()):
            self._expired += 1
            return
        if self._collides(item, target) or self._is_double(item, target):
            return
        if not self._is_refused(item, target):
            self.sampled.add_target(self.target, target)

    def _is_refused(self, item: Item, target: Item) -> bool:
        """Whether the target refuses an item; all that is wrong with it is noted."""
        refusal = self.there.refusal(self._declared, target)
        deviations = list(check_item(self._declared, target, self.there.limits))
        for deviation in deviations:
            code = _CODES.get(deviation.kind, deviation.kind)
            self._note("warning" if refusal is None else "error", code, item, deviation.message, deviation.attribute)
        if refusal is not None and not deviations:
            self._note("error", refusal.code, item, refusal.message, None)
        return refusal is not None

    def _collides(self, item: Item, target: Item) -> bool:
        if not self.trial.transform.changes_keys and self.here.unique_keys:
            return False
        key = canonical_text([target.get(name) for name in self.target.key_names])
        if key not in self._keys:
            self._keys.add(key)
            return False
        self._note("error", "key_collision", item, "another item of the sample gets the same key in the target", None)
        return True

    def _is_double(self, item: Item, target: Item) -> bool:
        """Whether another item of the sample has values that are to be unique."""
        for unique in self.target.unique:
            values = [target.get(name) for name in unique.attributes]
            if None in values or (unique.only is not None and target.get(unique.only[0]) != unique.only[1]):
                continue
            taken = (unique.name, canonical_text(values))
            if taken in self._unique:
                reason = f"another item of the sample has the same values of the unique constraint {unique.name!r}"
                self._note("error", "unique_violation", item, reason, unique.attributes[0])
                return True
            self._unique.add(taken)
        return False

    # ---- noting ----

    def _note(self, level: Level, code: str, item: Item, reason: str, path: str | None) -> None:
        key = self.source.key_of(item)
        self.findings.append(Finding(level, code, self.source.name, reason, key, path=path))

    def _note_unreadable(self, fault: Unreadable) -> None:
        error = fault.error
        self.findings.append(Finding("error", error.code, self.source.name, error.message, fault.key, fault.name))

    def _note_expired(self) -> None:
        if self._expired:
            reason = f"{self._expired} items of the sample have expired: they are left out, and counted as skipped"
            self.findings.append(Finding("warning", "expired", self.source.name, reason))
