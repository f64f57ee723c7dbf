"""Estimates of items, bytes, time, DynamoDB units and their price, from facts and from a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from attrs import define, field, frozen

from isthmus.schema import Table
from isthmus.values import Item, item_size
from isthmus_migration.places.base import Place, TableFacts
from isthmus_migration.plans.findings import Estimate

_READ_UNIT: Final = 4_096
_WRITE_UNIT: Final = 1_024
_DYNAMODB: Final = "dynamodb"


@frozen
class Prices:
    """What DynamoDB's request units cost. The defaults are those on demand in us-east-1, tables of class Standard.

    Source: https://aws.amazon.com/dynamodb/pricing/on-demand/ as of November 2024; other regions cost more.

    :param read_million: of a million read units
    :param write_million: of a million write units
    """

    read_million: float = 0.125
    write_million: float = 0.625
    currency: str = "USD"

    def __str__(self) -> str:
        return (
            f"{self.read_million:g} and {self.write_million:g} {self.currency} for a million read and write units of "
            "DynamoDB"
        )


@define
class Sampled:
    """What a sample came to.

    :param items: read, unreadable ones included
    :param whole: whether the table has no more
    :param seconds: of reading and converting
    :param tried: whether the transform could be tried on all that it was to be tried on
    :param keys: of the items that would be written, in the target
    """

    items: int = 0
    size: int = 0
    seconds: float = 0.0
    whole: bool = False
    tried: bool = True
    read_units: float = 0.0
    write_units: int = 0
    target_reads: float = 0.0
    keys: list[Item] = field(factory=list, repr=False)

    def add(self, source: Item) -> None:
        """Count an item that was read."""
        size = item_size(source)
        self.size += size
        self.read_units += size / _READ_UNIT / 2

    def add_target(self, table: Table, target: Item) -> None:
        """Count an item that would be written, with its entries in indexes."""
        self.keys.append(table.key_of(target))
        size = max(item_size(target), 1)
        entries = sum(all(key.name in target for key in index.keys) for index in table.indexes)
        self.write_units += ceil(size / _WRITE_UNIT) * (1 + entries)
        self.target_reads += ceil(size / _READ_UNIT)


def estimate(
    source: Place, target: Place, facts: TableFacts, sample: Sampled, *, workers: int, prices: Prices, looks: bool
) -> Estimate:
    """What copying a table comes to; without a sample that was tried, only what the source says.

    :param looks: whether each key is looked up in the target before it is written
    """
    items = _items(facts, sample)
    if items is None or not sample.tried or (items and not sample.items):
        return Estimate(items, facts.size)
    share = items / sample.items if sample.items else 0.0
    reads = sample.read_units if source.form == _DYNAMODB else 0.0
    reads += sample.target_reads if looks and target.form == _DYNAMODB else 0.0
    writes = sample.write_units if target.form == _DYNAMODB else 0
    read_units, write_units = ceil(reads * share), ceil(writes * share)
    cost = (read_units * prices.read_million + write_units * prices.write_million) / 1_000_000
    return Estimate(
        items, _size(facts, sample, share), 2 * sample.seconds * share / workers, read_units, write_units, cost
    )


def _items(facts: TableFacts, sample: Sampled) -> int | None:
    if sample.whole:
        return sample.items
    if facts.items is not None:
        return max(facts.items, sample.items)
    if facts.size is not None and sample.size:
        return max(sample.items, round(facts.size / (sample.size / sample.items)))
    return None


def _size(facts: TableFacts, sample: Sampled, share: float) -> int:
    # A table can't hold less than what was seen of it, whatever its store counted hours ago.
    if sample.whole:
        return sample.size
    return max(facts.size, sample.size) if facts.size is not None else round(sample.size * share)


def assumptions(places: Iterable[Place], prices: Prices, workers: int) -> Sequence[str]:
    """What estimates rest on, a sentence for each."""
    found = [
        f"each of {workers} workers reads and converts at the speed of the sample, and writing takes as long again",
        "counts are what the source says of itself, which may be hours old",
    ]
    if any(place.form == _DYNAMODB for place in places):
        found += [
            "DynamoDB is read with eventual consistency; each entry in an index is written like its item",
            str(prices),
        ]
    return found
