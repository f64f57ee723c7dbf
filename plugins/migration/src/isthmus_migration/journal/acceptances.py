"""New plans that were accepted in the middle of a migration: what the journal knows of them.

The journal says which plan is in force. ``plan.json`` is written after it, so until that is done a mark says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import asdict, field, frozen

from isthmus_migration.journal import keys
from isthmus_migration.journal.findings import insert_event
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.journal.units import REPAIRED

_NAME: Final = "accepted"
UNWRITTEN: Final = "plan_unwritten"
"""Under this name the journal says that ``plan.json`` is not yet the plan in force."""
_SHOWN: Final = 5
_VERIFIED: Final = (State.VERIFYING, State.READY, State.DIFFERENT)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@frozen
class FormerTable:
    """What of a table was copied before a new plan of it was accepted.

    :param table: the source's table
    :param units: of which items were read until then, replays of dead letters among them; none where only repairs
        have copied something
    :param items: that were read until then
    :param transform: of the table until then, as JSON-ready data; ``None`` where items moved as they are
    """

    table: str
    units: tuple[str, ...] = field(converter=_texts)
    items: int
    transform: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """What was copied, in a few words."""
        if not self.units:
            return f"{self.table}: what repairs wrote"
        units = ", ".join(self.units[:_SHOWN]) + (", …" if len(self.units) > _SHOWN else "")
        return f"{self.table}: {self.items:,} items of {len(self.units):,} units ({units})"

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON-ready data."""
        return {"table": self.table, "units": list(self.units), "items": self.items}


@frozen
class AcceptedPlan:
    """A new plan that was accepted.

    :param at: when, epoch seconds
    :param former: the hash of the plan until then
    :param plan: its own hash
    :param differences: a sentence for each path at which the plans differ
    :param tables: those whose transform has changed, where something was copied before
    """

    at: float
    former: str
    plan: str
    differences: tuple[str, ...] = field(converter=_texts)
    tables: tuple[FormerTable, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The acceptance as JSON-ready data."""
        return {
            "at": self.at, "former": self.former, "plan": self.plan, "differences": list(self.differences),
            "tables": [table.to_dict() for table in self.tables],
        }  # fmt: skip


def accepted_plans(journal: Journal) -> tuple[AcceptedPlan, ...]:
    """All that were accepted, in order."""
    found = json.loads(journal.meta(_NAME) or "[]")
    return tuple(
        AcceptedPlan(**{**data, "tables": tuple(FormerTable(**table) for table in data["tables"])}) for data in found
    )


def accept(journal: Journal, accepted: AcceptedPlan, text: str) -> None:
    """Put a plan in force, with everything that is to be known of it, at once.

    :param text: of the plan
    :raises JournalUnwritable: the former plan stays in force
    """
    every = json.dumps([asdict(one) for one in (*accepted_plans(journal), accepted)], ensure_ascii=False)
    # What a verification has found is outdated, as after a replay.
    before = journal.state
    state = State.COPIED if before in _VERIFIED else before
    rows = {"plan": accepted.plan, "plan_text": text, _NAME: every, UNWRITTEN: "yes", "state": state.value}
    told = {**accepted.to_dict(), "tables": [table.text for table in accepted.tables]}
    with journal.transaction() as connection:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows.items())
        insert_event(connection, "info", "plan_accepted", told)
        if state != before:
            insert_event(connection, "info", "state", {"state": state.value, "reason": "a new plan: verify again"})


def former_units(journal: Journal, table: str) -> tuple[str, ...]:
    """The units of a table of the source of which items were copied under a former plan."""
    found = [one for accepted in accepted_plans(journal) for one in accepted.tables if one.table == table]
    return tuple(dict.fromkeys(unit for one in found for unit in one.units))


def former_transforms(journal: Journal, table: str) -> list[Mapping[str, Any] | None]:
    """The transforms under which items of a table of the source were copied before, as JSON-ready data."""
    return [one.transform for accepted in accepted_plans(journal) for one in accepted.tables if one.table == table]


# ---- what was done so far ----


def copied_so_far(journal: Journal, table: str) -> tuple[tuple[str, ...], int]:
    """The units of a table of which items were read, and how many items."""
    rows = journal.rows(
        "SELECT id, read FROM unit WHERE phase IN ('copy', 'replay') AND source_table = ? AND read > 0 "
        "ORDER BY phase, position",
        (table,),
    )
    return tuple(name for name, _read in rows), sum(read for _name, read in rows)


def unsettled_units(journal: Journal, table: str) -> list[str]:
    """The units of a table with slices that were handed out, never journaled, and may have written items.

    A unit that is finished has written the same items again.
    """
    rows = journal.rows(
        "SELECT id FROM unit WHERE phase IN ('copy', 'replay', 'repair') AND source_table = ? AND unsettled != '[]' "
        "AND NOT finished ORDER BY phase, position",
        (table,),
    )
    return [str(name) for (name,) in rows]


def was_repaired(journal: Journal, table: str) -> bool:
    """Whether repairs have written items of a table of the source, or may have."""
    if journal.meta(REPAIRED + table) is not None:
        return True
    # A journal that is older than this note has the units of the last repair.
    repairs = "SELECT 1 FROM unit WHERE phase = 'repair' AND source_table = ? AND sequence > 0 LIMIT 1"
    return bool(journal.rows(repairs, (table,)))


def notes_keys(journal: Journal) -> bool:
    """Whether the journal notes at all that items got other keys; those of former versions did not."""
    return journal.meta(keys.NOTED) is not None


def moved_keys(journal: Journal, table: str) -> bool:
    """Whether items of a table of the source have got other keys in the target, as far as that was noted."""
    return journal.meta(keys.MOVED + table) is not None
