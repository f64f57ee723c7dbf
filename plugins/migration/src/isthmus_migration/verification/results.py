"""What a verification found: numbers for each table, and the keys that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from attrs import evolve, field, frozen

from isthmus.errors import TableNotFound
from isthmus.values import Item, dumps
from isthmus_migration.verification.settings import Level

MismatchKind = Literal["missing", "changed", "extra"]


@frozen
class Mismatch:
    """A key under which the target does not hold what it should.

    :param table: the source's table
    :param key: the key attributes of the target's item
    :param kind: the target lacks the item, has another one, or has one that the source has not
    :param fields: after a ``full`` verification, where a changed item differs: paths and kinds of difference
    :param status: ``open``, ``repaired``, or ``dead`` where a repair made a dead letter of the item
    :param unreadable: whether one side's item can't be read, or the source's not be transformed
    :param since_dead: whether the source's item became a dead letter, and has changed since
    """

    table: str
    key: Item
    kind: MismatchKind
    fields: tuple[Mapping[str, Any], ...] = ()
    status: str = "open"
    unreadable: bool = False
    since_dead: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The mismatch as JSON-ready data; the key as lossless JSON text."""
        data = {"table": self.table, "key": dumps(self.key), "kind": self.kind, "status": self.status}
        more = {name: True for name in ("unreadable", "since_dead") if getattr(self, name)}
        return {**data, **more, "fields": [dict(one) for one in self.fields]} if self.fields else {**data, **more}


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@frozen
class TableResult:
    """What a verification found in one table.

    :param table: the source's table
    :param source_items: how many items the target should hold; ``None`` where the level does not tell
    :param target_items: how many it holds
    :param source_digest: 32 hexadecimal digits; ``None`` where the level has none
    :param dead: items that became dead letters, or could not be read or transformed: no mismatches
    :param skipped: items that the plan leaves out: no mismatches
    :param expired: items whose time came meanwhile: no mismatches
    :param kept: items that the target had before and kept, as the plan says: no mismatches
    :param others: items that only the target has, where these were not asked for
    :param unreadable: items of the target that could not be read, not even their keys
    :param sampled: how many keys were looked up
    :param former_units: of which some items were copied under a former plan; all were compared with the plan of now
    :param facts: what differs between the definitions, a sentence for each point
    """

    table: str
    source_items: int | None = None
    target_items: int | None = None
    source_digest: str | None = None
    target_digest: str | None = None
    missing: int = 0
    changed: int = 0
    extra: int = 0
    dead: int = 0
    skipped: int = 0
    expired: int = 0
    kept: int = 0
    others: int = 0
    unreadable: int = 0
    sampled: int | None = None
    facts: tuple[str, ...] = field(default=(), converter=_texts)
    former_units: tuple[str, ...] = field(default=(), converter=_texts)
    counts_decide: bool = False

    @property
    def mismatches(self) -> int:
        """How many keys differ."""
        return self.missing + self.changed + self.extra

    @property
    def same_items(self) -> bool:
        """Whether no item differs, as far as the level can tell."""
        counted = not self.counts_decide or self.source_items == self.target_items
        return counted and not self.mismatches and not self.unreadable

    @property
    def equal(self) -> bool:
        """Whether neither items nor definitions differ."""
        return self.same_items and not self.facts

    @property
    def bound(self) -> float | None:
        """After a sample without mismatches: at most this share of all items differs, at 95 % confidence."""
        return min(1.0, 3 / self.sampled) if self.sampled and not self.mismatches else None

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        names = (
            "table", "source_items", "target_items", "source_digest", "target_digest", "missing", "changed", "extra",
            "dead", "skipped", "expired", "kept", "others", "unreadable", "sampled", "bound", "equal",
        )  # fmt: skip
        lists = {"facts": list(self.facts), "former_units": list(self.former_units)}
        return {**{name: getattr(self, name) for name in names}, **lists}


@frozen
class Verification:
    """The result of a verification.

    :param finished: whether it came to its end; an unfinished one goes on with the next call
    :param reason: why it did not
    :param mismatches: the first of the keys that differ
    """

    level: Level
    tables: tuple[TableResult, ...]
    finished: bool = True
    reason: str = ""
    mismatches: tuple[Mismatch, ...] = field(default=(), repr=False)

    @property
    def equal(self) -> bool:
        """Whether it is finished and found nothing that differs."""
        return self.finished and all(table.equal for table in self.tables)

    @property
    def total(self) -> TableResult:
        """The numbers of all tables together."""
        names = ("missing", "changed", "extra", "dead", "skipped", "expired", "kept", "others", "unreadable")
        return evolve(
            TableResult("all tables"), **{name: sum(getattr(table, name) for table in self.tables) for name in names}
        )

    def table(self, name: str) -> TableResult:
        """The result of one table of the source.

        :raises TableNotFound: it was not verified
        """
        for table in self.tables:
            if table.table == name:
                return table
        raise TableNotFound(f"table {name!r} was not verified: {', '.join(table.table for table in self.tables)} were")

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return {
            "level": self.level, "equal": self.equal, "finished": self.finished, "reason": self.reason,
            "tables": [table.to_dict() for table in self.tables],
            "mismatches": [mismatch.to_dict() for mismatch in self.mismatches],
        }  # fmt: skip
