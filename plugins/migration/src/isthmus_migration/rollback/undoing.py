"""Undoing one slice: images are put back where the target still holds what was written, from the last file on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from attrs import asdict, define, evolve, field, frozen

from isthmus.capabilities import Capability
from isthmus.errors import InvalidArgument, IsthmusError, ItemChanged, UnsupportedOperation
from isthmus.schema import Table
from isthmus.values import Item, dumps
from isthmus.writes import expired
from isthmus_migration.digests import bucket_of
from isthmus_migration.places.base import Change, Place, Seen
from isthmus_migration.places.readable import readable_items
from isthmus_migration.rollback.digesting import lasts
from isthmus_migration.slices.existing import Former, digest_or_none, former
from isthmus_migration.slices.images import Image, ImageFile, image_files, number_of
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, SliceResult, SliceTask, Unit

_UNREADABLE: Final = -1
"""The digest of what can't be read: nothing that was written has it."""
_AT_ONCE: Final = 100
"""So many items are looked at before they are put back: what others write in between is overwritten."""


@frozen
class UndoPart:
    """What a unit of a rollback undoes: the files of these folders together, the latest first.

    :param folders: names of phases and units, ``copy/cities-00001``
    :param force: whether items that others have changed since are put back too
    :param guarded: whether each write depends on what was seen right before it
    """

    folders: tuple[str, ...]
    force: bool = False
    guarded: bool = False

    def to_json(self) -> str:
        """The text of a unit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> UndoPart:
        """The part whose text this is."""
        data = json.loads(text)
        return cls(tuple(data["folders"]), data["force"], data.get("guarded", False))

    def files(self, images: Path) -> list[Path]:
        """All files, the latest first."""
        found = [path for folder in self.folders for path in image_files(images / folder)]
        return sorted(found, key=number_of, reverse=True)


def require_revisions(target: Place) -> None:
    """Refuse to guard a rollback of a target that can't tell whether others have written.

    :raises UnsupportedOperation: it can't
    """
    if not target.knows_revisions:
        raise UnsupportedOperation(
            f"a rollback of {target.name} can't be guarded: roll back without, while nobody else writes",
            capability=Capability.REVISION.value, reason="this backend has no revisions of items",
        )  # fmt: skip


def undo_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Undo the next images of a unit, those of one file at most: a second run of the slice must find only its own.

    :raises IsthmusError: the target can't be used now; the slice may be done again
    """
    part, pace, folder = UndoPart.from_json(task.unit.spec), Pace(task.budget), worker.workdir / "images"
    files = part.files(folder)
    number, line = json.loads(task.cursor) if task.cursor else (number_of(files[0]), 0)
    place = next(place for place, path in enumerate(files) if number_of(path) == number)
    images = list(islice(ImageFile.of(files[place]).images(), line, line + task.budget.items))
    undo = _Undo(worker, worker.plan.table(task.unit.table).target, part, files[place])
    for first in range(0, len(images), _AT_ONCE):
        undo.run(images[first : first + _AT_ONCE], line + first)
    pace.keep(len(images), 0)
    return SliceResult(
        task, _following(task, files[place:], line, len(images)),
        Counts(read=len(images), written=undo.written, unchanged=undo.unchanged, skipped=len(undo.conflicts)),
        found=tuple(undo.conflicts), waited=pace.waited, owed=pace.owed,
    )  # fmt: skip


def _following(task: SliceTask, files: list[Path], line: int, read: int) -> str | None:
    if read == task.budget.items:
        return json.dumps([number_of(files[0]), line + read])
    return json.dumps([number_of(files[1]), 0]) if len(files) > 1 else None


@frozen
class _Restored:
    """An image that is put back.

    :param line: its place in its file
    :param last: whether no image of an earlier run of its slice comes after it, which would decide
    """

    image: Image
    change: Change
    line: int
    last: bool


@define
class _Undo:
    """Undoes images of one file, some at once, and counts what becomes of them."""

    worker: Worker
    table: Table
    part: UndoPart
    path: Path
    written: int = 0
    unchanged: int = 0
    conflicts: list[dict[str, Any]] = field(factory=list)
    _earlier: dict[str, Former] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._earlier = _earlier_runs(self.worker, self.path)

    def run(self, images: list[Image], line: int) -> None:
        """Undo some images.

        :param line: of the first of them
        """
        wanted = list(self._wanted(images, line))
        receipt = self.worker.target.swap(self.table, [one.change for one in wanted])
        self.written += len(wanted) - len(receipt.refusals)
        for refusal in receipt.refusals:
            self._leave(wanted[refusal.position], refusal.error)

    def _wanted(self, images: list[Image], line: int) -> Iterator[_Restored]:
        found, moment = self._look([image.key for image in images]), time.time()
        by_then = (by_now(self.table, one, moment) for one in images)
        for place, (image, there) in enumerate(zip(by_then, found, strict=True), line):
            known = self._earlier.get(dumps(image.key)) if self._earlier else None
            digest = _digest(there.found)
            if digest == digest_or_none(image.before):
                self.unchanged += 1
            elif self.part.force or _is_ours(digest, image, known):
                yield _Restored(image, Change(image.key, image.before, there), place, known is None)
            elif known is None:
                # With an image of an earlier run, that one comes next and decides.
                self.conflicts.append(conflict(self.table, image, there.found, "changed"))

    def _look(self, keys: list[Item]) -> list[Seen]:
        if self.part.guarded and not self.part.force:
            return self.worker.target.look(self.table, keys)
        return [Seen(found) for found in readable_items(self.worker.target, self.table, keys)]

    def _leave(self, one: _Restored, error: IsthmusError) -> None:
        """Account for an image that was not put back: it expired meanwhile, others were faster, or it is not taken."""
        item = one.change.item
        if isinstance(error, InvalidArgument) and item is not None and expired(self.table, item, time.time()):
            receipt = self.worker.target.swap(self.table, [evolve(one.change, item=None)])
            if not receipt.refusals:
                self.written += 1
                return
            error = receipt.refusals[0].error
        (now,) = readable_items(self.worker.target, self.table, [one.image.key])
        if _digest(now) == digest_or_none(one.image.before):
            self.unchanged += 1  # by an attempt of ours whose answer was lost, or by others
        elif not isinstance(error, ItemChanged):
            image = [str(self.path.relative_to(self.worker.workdir / "images")), one.line]
            self.conflicts.append(conflict(self.table, one.image, now, error.code, image=image))
        elif one.last:
            self.conflicts.append(conflict(self.table, one.image, now, "changed"))


def _digest(found: Item | IsthmusError | None) -> int | None:
    return _UNREADABLE if isinstance(found, IsthmusError) else digest_or_none(found)


def by_now(table: Table, image: Image, moment: float) -> Image:
    """What would stand there if nothing had been written: nothing once it has expired."""
    gone = image.before is not None and expired(table, image.before, moment)
    return evolve(image, before=None) if gone else image


def _earlier_runs(worker: Worker, path: Path) -> dict[str, Former]:
    """What runs before it, that were never journaled, knew of the same items."""
    head = ImageFile.of(path)
    if not head.unsettled:
        return {}
    task = SliceTask(head.phase, Unit(path.parent.name, head.table, ""), head.number, 0, None, unsettled=head.unsettled)
    return former(worker.workdir / "images", task)


def _is_ours(digest: int | None, image: Image, known: Former | None) -> bool:
    return digest == image.written_digest or (known is not None and digest in known.written)


def conflict(table: Table, kept: Image, now: Item | IsthmusError | None, reason: str, **more: Any) -> dict[str, Any]:
    """What the journal keeps of an item that is left as it is.

    :param now: what stands there instead of what was written
    """
    found = None if isinstance(now, IsthmusError) else now
    detail = {
        **more, "reason": reason, "bucket": bucket_of(kept.key[name] for name in table.key_names),
        "before": _text(kept.before), "found": _text(found),
    }  # fmt: skip
    if table.ttl is not None:
        detail["lasting"] = [
            side for side in ("before", "found") if lasts(table, kept.before if side == "before" else found)
        ]
    return {"kind": "conflict", "key": dumps(kept.key), "detail": detail}


def _text(item: Item | None) -> str | None:
    digest = digest_or_none(item)
    return None if digest is None else f"{digest:032x}"
