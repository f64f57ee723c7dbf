"""Items that could not be put back because others stood in their way, with a unique value say: these are gone now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import frozen

from isthmus.errors import IsthmusError
from isthmus.values import Item
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Part
from isthmus_migration.places.readable import readable_items
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.slices.existing import digest_or_none
from isthmus_migration.slices.images import read_images
from isthmus_migration.slices.worker import Worker

_AT_ONCE = 200
_PUT_BACK = "rollback_again"


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


def put_back_refused(worker: Worker, journal: Journal, plan: TablePlan) -> None:
    """Try what the target refused once more, as long as some of it gets through; that is no conflict any more.

    :raises IsthmusError: the target can't be used now; calling it again goes on
    """
    table = plan.source.name
    while True:
        refused, done = iter(list(_refused(journal, table))), 0
        while some := list(islice(refused, _AT_ONCE)):
            put = _put(worker, plan, some)
            _settle(journal, table, put)
            done += len(put)
        if not done:
            return


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


def _put(worker: Worker, plan: TablePlan, some: list[_Refused]) -> list[str]:
    """Put back what is still as it was found; the keys of what is as before then."""
    images = list(_images(worker.workdir / "images", some))
    now = readable_items(worker.target, plan.target, [plan.target.key_of(item) for _one, item in images])
    left: list[tuple[str, Item]] = []
    done: list[str] = []
    for (one, item), there in zip(images, now, strict=True):
        text = _text(there)
        if text == _text(item):
            done.append(one.key)  # by a run that was killed before it could tell
        elif text == one.found:
            left.append((one.key, item))
    receipt = worker.target.put_many(plan.target, [item for _key, item in left], Part("again", 0))
    refused = {refusal.position for refusal in receipt.refusals}
    return done + [key for position, (key, _item) in enumerate(left) if position not in refused]


def _text(item: Item | IsthmusError | None) -> str | None:
    """The digest as a conflict has it; of what can't be read, one that none has."""
    if isinstance(item, IsthmusError):
        return "unreadable"
    digest = digest_or_none(item)
    return None if digest is None else f"{digest:032x}"


def _images(folder: Path, some: list[_Refused]) -> Iterator[tuple[_Refused, Item]]:
    for file in sorted({one.file for one in some}):
        wanted = {one.line: one for one in some if one.file == file}
        for line, image in enumerate(read_images(folder / file)):
            if line in wanted and image.before is not None:
                yield wanted[line], image.before


def _settle(journal: Journal, table: str, keys: Iterable[str]) -> None:
    with journal.transaction() as connection:
        done = connection.executemany(
            "DELETE FROM conflict WHERE source_table = ? AND item_key = ?", [(table, key) for key in keys]
        ).rowcount
        connection.execute(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + ?2",
            (f"{_PUT_BACK} {table}", max(done, 0)),
        )
