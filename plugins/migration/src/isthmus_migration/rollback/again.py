"""Items that could not be put back because others stood in their way, with a unique value say: these are gone now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from isthmus.errors import BackendError, IsthmusError, ItemChanged
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.journal.findings import insert_finding
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Change
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.rollback.undoing import by_now, conflict
from isthmus_migration.slices.existing import digest_or_none
from isthmus_migration.slices.images import Image, read_images
from isthmus_migration.slices.worker import Worker

_AT_ONCE: Final = 100
_PUT_BACK: Final = "rollback_again"


@frozen
class _Refused:
    """A conflict whose image the target refused.

    :param file: of the image, within the folder of images
    :param line: its place in there
    :param found: digest of what stood there then
    """

    key: str
    file: str
    line: int
    found: str | None


@define
class PuttingBack:
    """Tries what the target of one table refused once more, as long as some of it gets through, in steps."""

    worker: Worker
    journal: Journal
    plan: TablePlan
    _left: list[_Refused] | None = field(default=None, init=False)
    _done: int = field(default=0, init=False)

    def step(self) -> bool:
        """Do some of it; what is put back is no conflict any more. Whether more may be left.

        :raises IsthmusError: the target can't be used now; a further step goes on
        """
        if self._left is None:
            self._left, self._done = list(_refused(self.journal, self.plan.source.name)), 0
        some = self._left[:_AT_ONCE]
        if not some:
            self._left = None
            return self._done > 0
        again = _put(self.worker, self.plan, some)
        _settle(self.journal, self.plan.source.name, again)
        del self._left[:_AT_ONCE]
        self._done += len(again.done)
        return True


def put_back_later(journal: Journal, table: str) -> int:
    """How many items of a table got through in the end."""
    return int(journal.meta(f"{_PUT_BACK} {table}") or 0)


def forget_put_back(connection: Any) -> None:
    """Begin to count anew, within a transaction."""
    connection.execute("DELETE FROM meta WHERE name LIKE ?", (f"{_PUT_BACK} %",))


def _refused(journal: Journal, table: str) -> Iterator[_Refused]:
    rows = journal.rows(
        "SELECT item_key, detail FROM conflict WHERE source_table = ? AND json_extract(detail, '$.image') IS NOT NULL",
        (table,),
    )
    for key, text in rows:
        detail = json.loads(text)
        file, line = detail["image"]
        yield _Refused(key, file, line, detail["found"])


@frozen
class _Again:
    """What some of the refused came to.

    :param done: the keys of what is as before
    :param changed: the conflicts of what others have changed since
    """

    done: list[str] = field(factory=list)
    changed: list[dict[str, Any]] = field(factory=list)


def _put(worker: Worker, plan: TablePlan, some: list[_Refused]) -> _Again:
    """Put back what is still as it was found."""
    table, again, left = plan.target, _Again(), list[tuple[_Refused, Image, Change]]()
    images, moment = list(_images(worker.workdir / "images", some)), time.time()
    seen = worker.target.look(table, [image.key for _one, image in images])
    for (one, kept), there in zip(images, seen, strict=True):
        image = by_now(table, kept, moment)
        text = _text(there.found)
        if text == _text(image.before):
            again.done.append(one.key)  # by a run that was killed before it could tell, or it has expired
        elif isinstance(there.found, BackendError):
            continue  # the store's fault: it stays a conflict, to be tried again
        elif text == one.found:
            left.append((one, image, Change(image.key, image.before, there)))
        else:
            again.changed.append(conflict(table, kept, there.found, "changed"))
    receipt = worker.target.swap(table, [change for _one, _image, change in left])
    refused = {refusal.position: refusal.error for refusal in receipt.refusals}
    for position, error in refused.items():
        if isinstance(error, ItemChanged):
            _account(worker, table, *left[position][:2], again)
    again.done.extend(one.key for place, (one, _image, _change) in enumerate(left) if place not in refused)
    return again


def _account(worker: Worker, table: Table, one: _Refused, image: Image, again: _Again) -> None:
    """What became of an item that was another one when it was to be put back."""
    (now,) = worker.target.look(table, [image.key])
    if _text(now.found) == _text(image.before):
        again.done.append(one.key)  # by an attempt of ours whose answer was lost, or by others
    else:
        again.changed.append(conflict(table, image, now.found, "changed"))


def _text(item: Item | IsthmusError | None) -> str | None:
    """The digest as a conflict has it; of what can't be read, one that none has."""
    if isinstance(item, IsthmusError):
        return "unreadable"
    digest = digest_or_none(item)
    return None if digest is None else f"{digest:032x}"


def _images(folder: Path, some: list[_Refused]) -> Iterator[tuple[_Refused, Image]]:
    for file in sorted({one.file for one in some}):
        wanted = {one.line: one for one in some if one.file == file}
        for line, image in enumerate(read_images(folder / file)):
            if line in wanted:
                yield wanted[line], image


def _settle(journal: Journal, table: str, again: _Again) -> None:
    with journal.transaction() as connection:
        done = connection.executemany(
            "DELETE FROM conflict WHERE source_table = ? AND item_key = ?", [(table, key) for key in again.done]
        ).rowcount
        for one in again.changed:
            insert_finding(connection, table, one, time.time())
        connection.execute(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + ?2",
            (f"{_PUT_BACK} {table}", max(done, 0)),
        )
