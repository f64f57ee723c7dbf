"""What a preflight found: violations of the target's limits, estimates, and what has to be known before a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, cast

from attrs import asdict, field, frozen

from isthmus.values import Item, dumps, loads
from isthmus_migration.errors import PlanRefused

Level = Literal["error", "warning"]
_SHOWN: Final = 10
"""So many problems are in the message of an error; its ``problems`` has all."""


@frozen
class Finding:
    """Something that a preflight found.

    :param level: ``error`` where an item would become a dead letter; ``warning`` where something is only to be known
    :param code: stable text for programs, ``item_too_large`` say: for items the code of the dead letter
    :param table: the source's table
    :param reason: what is wrong and what to do, never a value
    :param key: the key attributes of the source's item, where it is about one that can be read
    :param name: what the store calls the item, where its key can't be read
    :param path: the attribute that it is about
    """

    level: Level
    code: str
    table: str
    reason: str
    key: Item | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    path: str | None = None

    def __str__(self) -> str:
        return f"table {self.table!r}: {self.reason}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that ``to_dict`` described."""
        key = data["key"]
        return cls(**{**data, "key": None if key is None else cast("Item", loads(key))})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; the key is lossless JSON text."""
        return {
            "level": self.level, "code": self.code, "table": self.table, "reason": self.reason, "path": self.path,
            "key": None if self.key is None else dumps(self.key), "name": self.name,
        }  # fmt: skip


@frozen
class Estimate:
    """What a copy will come to, about: shown with ≈.

    :param items: ``None`` where neither the source nor the sample tells, here and below
    :param size: bytes of items
    :param seconds: of reading and converting at the sample's speed, and as long again for writing
    :param read_units: DynamoDB read units, of both sides
    :param write_units: DynamoDB write units
    :param cost: price of these units in the currency of the price list
    """

    items: int | None = None
    size: int | None = None
    seconds: float | None = None
    read_units: int | None = None
    write_units: int | None = None
    cost: float | None = None

    def __add__(self, other: Estimate) -> Estimate:
        mine, theirs = asdict(self).values(), asdict(other).values()
        return Estimate(*(None if None in pair else sum(pair) for pair in zip(mine, theirs, strict=True)))


@frozen
class TablePreflight:
    """What was found out about one table.

    :param table: the source's
    :param target: the target's
    :param created: whether the migration creates it
    :param units: into how many units the source is divided
    :param sampled: how many items were looked at
    :param whole: whether these are all that there are
    :param present: how many of them have a key that the target has an item under
    """

    table: str
    target: str
    created: bool
    units: int
    sampled: int
    whole: bool
    estimate: Estimate
    present: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return asdict(self)


def _findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(findings)


def _tables(tables: Iterable[TablePreflight]) -> tuple[TablePreflight, ...]:
    return tuple(tables)


@frozen
class Preflight:
    """What a plan was checked for, on a sample of each table.

    :param tables: one result for each table
    :param findings: all that was found
    :param assumptions: what the estimates rest on, a sentence for each
    """

    tables: tuple[TablePreflight, ...] = field(default=(), converter=_tables)
    findings: tuple[Finding, ...] = field(default=(), converter=_findings)
    assumptions: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Items of the sample that would become dead letters."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is to be known before a run."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    @property
    def estimate(self) -> Estimate:
        """What all tables come to."""
        first, *others = [table.estimate for table in self.tables] or [Estimate()]
        return sum(others, first)

    def raise_for_errors(self) -> None:
        """Refuse to go on where items of the sample would become dead letters.

        :raises PlanRefused: ``problems`` has a sentence for each
        """
        problems = [str(finding) for finding in self.errors]
        if problems:
            more = len(problems) - _SHOWN
            shown = "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            raise PlanRefused(f"items of the sample can't be moved: {shown}", problems=problems)

    def to_dict(self) -> dict[str, Any]:
        """The whole preflight as JSON-ready data, with keys of items and without any other values."""
        return {
            "tables": [table.to_dict() for table in self.tables],
            "findings": [finding.to_dict() for finding in self.findings],
            "estimate": asdict(self.estimate),
            "assumptions": list(self.assumptions),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preflight:
        """The preflight that ``to_dict`` described."""
        tables = [TablePreflight(**{**one, "estimate": Estimate(**one["estimate"])}) for one in data["tables"]]
        return cls(tables, [Finding.from_dict(one) for one in data["findings"]], tuple(data["assumptions"]))

    def summary(self) -> dict[str, Any]:
        """What the plan keeps: numbers, and no keys."""
        counts = {
            table.table: {
                "sampled": table.sampled,
                "errors": _counted(finding for finding in self.errors if finding.table == table.table),
                "warnings": _counted(finding for finding in self.warnings if finding.table == table.table),
            }
            for table in self.tables
        }
        return {"tables": counts, "estimate": asdict(self.estimate), "assumptions": list(self.assumptions)}


def _counted(findings: Iterable[Finding]) -> Mapping[str, int]:
    return dict(sorted(Counter(finding.code for finding in findings).items()))
