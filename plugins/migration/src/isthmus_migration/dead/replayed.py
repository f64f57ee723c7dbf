"""What replays with another transform than the plan's have written: the plan does not tell what the target should hold.

It stands in the cursor of the replay's unit, which needs none: keys and a digest, and when the item expires.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Self

from attrs import asdict, field, frozen

from isthmus.schema import Table
from isthmus.values import dumps, loads
from isthmus_migration.dead.replaying import PHASE
from isthmus_migration.journal.journal import Journal
from isthmus_migration.slices.account import Move


@frozen
class Replayed:
    """An item of a replay.

    :param source_key: of the source's item, as lossless JSON text
    :param key: of the target's item, likewise
    :param digest: of what was written, 32 hexadecimal digits
    :param until: the value of the attribute for time to live, as lossless JSON text
    """

    source_key: str = field(repr=False)
    key: str = field(repr=False)
    digest: str
    until: str = "null"

    @classmethod
    def of(cls, move: Move, source: Table, target: Table) -> Self:
        """What a move of a replay comes to."""
        until = None if target.ttl is None else move.target.get(target.ttl)
        return cls(
            dumps(source.key_of(move.source)), dumps(target.key_of(move.target)), f"{move.digest:032x}", dumps(until)
        )

    def to_json(self) -> str:
        """The text in the journal."""
        return json.dumps(asdict(self))

    @property
    def expires(self) -> Any:
        """The value of the attribute for time to live."""
        return loads(self.until)


def replayed_items(journal: Journal, table: str) -> Iterator[Replayed]:
    """What was written for those letters of a table of the source that are no dead letters any more."""
    rows = journal.each(
        "SELECT unit.cursor FROM unit JOIN dead ON dead.id = CAST(unit.spec AS INTEGER) "
        "WHERE unit.phase = ? AND unit.source_table = ? AND unit.cursor IS NOT NULL AND dead.status = 'replayed'",
        (PHASE, table),
    )
    return (Replayed(**json.loads(text)) for (text,) in rows)
