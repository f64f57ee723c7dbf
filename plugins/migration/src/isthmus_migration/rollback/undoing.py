"""Undoing one slice: images are put back where the target still holds what was written, from the last file on."""

from __future__ import annotations

import json
import time
from itertools import islice
from pathlib import Path
from typing import Any, Final

from attrs import asdict, define, evolve, field, frozen

from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.schema import Table
from isthmus.values import Item, dumps
from isthmus.writes import expired
from isthmus_migration.digests import bucket_of
from isthmus_migration.places.base import Part
from isthmus_migration.places.readable import readable_items
from isthmus_migration.slices.existing import Former, digest_or_none, former
from isthmus_migration.slices.images import Image, ImageFile, image_files, number_of
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, SliceResult, SliceTask, Unit

_UNREADABLE: Final = -1
"""The digest of what can't be read: nothing that was written has it."""


@frozen
class UndoPart:
    """What a unit of a rollback undoes: the files of these folders together, the latest first.

    :param folders: names of phases and units, ``copy/cities-00001``
    :param force: whether items that others have changed since are put back too
    """

    folders: tuple[str, ...]
    force: bool = False

    def to_json(self) -> str:
        """The text of a unit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> UndoPart:
        """The part whose text this is."""
        data = json.loads(text)
        return cls(tuple(data["folders"]), data["force"])

    def files(self, images: Path) -> list[Path]:
        """All files, the latest first."""
        found = [path for folder in self.folders for path in image_files(images / folder)]
        return sorted(found, key=number_of, reverse=True)


@define
class _Undo:
    """What is put back, with the image's place in its file, and what is left."""

    put: list[tuple[Image, Item, int]] = field(factory=list)
    delete: list[Image] = field(factory=list)
    unchanged: int = 0
    conflicts: list[dict[str, Any]] = field(factory=list)


def undo_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Undo the next images of a unit, those of one file at most: a second run of the slice must find only its own.

    :raises IsthmusError: the target can't be used now; the slice may be done again
    """
    part, pace, folder = UndoPart.from_json(task.unit.spec), Pace(task.budget), worker.workdir / "images"
    files = part.files(folder)
    number, line = json.loads(task.cursor) if task.cursor else (number_of(files[0]), 0)
    place = next(place for place, path in enumerate(files) if number_of(path) == number)
    images = list(islice(ImageFile.of(files[place]).images(), line, line + task.budget.items))
    undo = _judged(worker, task, part, files[place], images)
    _put_back(worker, task, undo, files[place].relative_to(folder), line)
    pace.keep(len(images), 0)
    return SliceResult(
        task, _following(task, files[place:], line, len(images)),
        Counts(read=len(images), written=len(undo.put) + len(undo.delete), unchanged=undo.unchanged,
               skipped=len(undo.conflicts)),
        found=tuple(undo.conflicts), waited=pace.waited, owed=pace.owed,
    )  # fmt: skip


def _following(task: SliceTask, files: list[Path], line: int, read: int) -> str | None:
    if read == task.budget.items:
        return json.dumps([number_of(files[0]), line + read])
    return json.dumps([number_of(files[1]), 0]) if len(files) > 1 else None


def _judged(worker: Worker, task: SliceTask, part: UndoPart, path: Path, images: list[Image]) -> _Undo:
    table, undo = worker.table(task.unit.table).plan.target, _Undo()
    found = readable_items(worker.target, table, [image.key for image in images])
    earlier, moment = _earlier_runs(worker, path), time.time()
    by_now = (_by_now(table, one, moment) for one in images)
    for place, (image, now) in enumerate(zip(by_now, found, strict=True)):
        known = earlier.get(dumps(image.key)) if earlier else None
        digest = _UNREADABLE if isinstance(now, IsthmusError) else digest_or_none(now)
        if digest == digest_or_none(image.before):
            undo.unchanged += 1
        elif part.force or _is_ours(digest, image, known):
            if image.before is None:
                undo.delete.append(image)
            else:
                undo.put.append((image, image.before, place))
        elif known is None:
            # With an image of an earlier run, that one comes next and decides.
            undo.conflicts.append(_conflict(table, image, now, "changed"))
    return undo


def _by_now(table: Table, image: Image, moment: float) -> Image:
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


def _put_back(worker: Worker, task: SliceTask, undo: _Undo, file: Path, line: int) -> None:
    table = worker.table(task.unit.table).plan.target
    worker.target.delete_many(table, [image.key for image in undo.delete])
    part = Part(task.unit.id, task.sequence)
    receipt = worker.target.put_many(table, [item for _image, item, _place in undo.put], part)
    refused = {refusal.position: refusal.error for refusal in receipt.refusals}
    for position, error in sorted(refused.items(), reverse=True):
        image, item, place = undo.put[position]
        if isinstance(error, InvalidArgument) and expired(table, item, time.time()):
            worker.target.delete_many(table, [image.key])
            continue
        del undo.put[position]
        (now,) = readable_items(worker.target, table, [image.key])
        undo.conflicts.append(_conflict(table, image, now, error.code, image=[str(file), line + place]))


def _conflict(table: Table, kept: Image, now: Item | IsthmusError | None, reason: str, **more: Any) -> dict[str, Any]:
    detail = {
        **more, "reason": reason, "bucket": bucket_of(kept.key[name] for name in table.key_names),
        "before": _text(kept.before), "found": None if isinstance(now, IsthmusError) else _text(now),
    }  # fmt: skip
    return {"kind": "conflict", "key": dumps(kept.key), "detail": detail}


def _text(item: Item | None) -> str | None:
    digest = digest_or_none(item)
    return None if digest is None else f"{digest:032x}"
