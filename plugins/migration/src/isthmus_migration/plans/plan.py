"""The plan: immutable, written as JSON, known by its hash.

A run is resumed only with the plan that it was begun with. The hash covers everything that decides what is written:
tables, units, transforms with the hashes of their functions, and what happens to items that the target has already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal

from attrs import field, frozen

from isthmus.errors import ConfigurationError, TableNotFound
from isthmus.schema import Table
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.places.references import Reference
from isthmus_migration.tasks import Unit

VERSION: Final = 1
IntoExisting = Literal["refuse", "upsert", "fail", "skip"]
"""What happens where the target has data: the plan is refused, items are replaced, become dead letters, or are kept."""


@frozen
class PlacePlan:
    """One end, as it is written down.

    :param format: of an export; ``None`` for databases
    :param compression: of an export that is written
    :param lossy: whether the format of an export may lose what it has no place for
    :param definitions: of tables, for an export that has none
    """

    reference: Reference
    format: str | None = None
    compression: str | None = None
    lossy: bool = False
    definitions: tuple[Table, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The end as JSON-ready data."""
        return {
            "place": self.reference.text, "whole": self.reference.whole, "opened": self.reference.opened,
            "format": self.format, "compression": self.compression, "lossy": self.lossy,
            "definitions": [table.to_dict() for table in self.definitions],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlacePlan:
        """The end that ``to_dict`` described."""
        reference = Reference(data["place"], data["whole"], data["opened"])
        definitions = tuple(Table.from_dict(table) for table in data["definitions"])
        return cls(reference, data["format"], data["compression"], data["lossy"], definitions)


@frozen
class TablePlan:
    """What happens to one table.

    :param source: the definition as the source has it
    :param target: the definition that the target gets or has
    :param transform: the declaration of its transform as JSON-ready data, hashes of functions included; ``None`` where
        items move as they are
    :param units: how the source is divided
    :param created: whether the migration creates the table, and drops it when it is rolled back
    :param occupied: whether the target's table held items when the plan was made
    :param items: about how many items the source has; ``None`` where only reading tells
    :param size: about how many bytes
    """

    source: Table
    target: Table
    units: tuple[str, ...]
    created: bool
    occupied: bool = False
    transform: Mapping[str, Any] | None = None
    items: int | None = None
    size: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The table's plan as JSON-ready data."""
        return {
            "source": self.source.to_dict(), "target": self.target.to_dict(), "units": list(self.units),
            "created": self.created, "occupied": self.occupied, "transform": self.transform,
            "items": self.items, "size": self.size,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TablePlan:
        """The plan that ``to_dict`` described."""
        return cls(
            Table.from_dict(data["source"]), Table.from_dict(data["target"]), tuple(data["units"]), data["created"],
            data["occupied"], data["transform"], data["items"], data["size"],
        )  # fmt: skip


@frozen
class Plan:
    """Everything that decides what a migration writes.

    :param id: random text that tells this plan from every other
    :param made: when it was made, UTC as text
    :param keep_images: whether pre-images are kept, so that a rollback can restore what was there
    :param notes: what of the definitions the target has not got, a sentence for each point
    :param findings: what the preflight came to, in numbers
    """

    id: str
    made: str
    source: PlacePlan
    target: PlacePlan
    tables: tuple[TablePlan, ...]
    into_existing: IntoExisting = "refuse"
    keep_images: bool = True
    notes: tuple[str, ...] = field(default=())
    findings: Mapping[str, Any] = field(factory=dict)

    def table(self, name: str) -> TablePlan:
        """The plan of a table of the source.

        :raises TableNotFound: it is not moved
        """
        for table in self.tables:
            if table.source.name == name:
                return table
        raise TableNotFound(f"table {name!r} is not moved: {', '.join(table.source.name for table in self.tables)} are")

    def units(self) -> list[Unit]:
        """All units, named for their table and number."""
        return [
            Unit(f"{table.source.name}-{number:05d}", table.source.name, spec)
            for table in self.tables
            for number, spec in enumerate(table.units)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        return {
            "version": VERSION, "id": self.id, "made": self.made, "source": self.source.to_dict(),
            "target": self.target.to_dict(), "tables": [table.to_dict() for table in self.tables],
            "into_existing": self.into_existing, "keep_images": self.keep_images, "notes": list(self.notes),
            "findings": dict(self.findings),
        }  # fmt: skip

    def to_json(self) -> str:
        """The text of ``plan.json``."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits."""
        return sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan whose text this is.

        :raises WorkDirectoryDamaged: it is no plan, or one of another version
        """
        try:
            data = json.loads(text)
            if data["version"] != VERSION:
                raise WorkDirectoryDamaged(
                    f"the plan has version {data['version']}, this is version {VERSION}: finish it with the release "
                    "that made it, or plan anew in another directory"
                )
            return cls._from_dict(data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigurationError) as error:
            raise WorkDirectoryDamaged(
                "plan.json is damaged or was edited by hand: restore it, or plan anew"
            ) from error

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Plan:
        return cls(
            data["id"], data["made"], PlacePlan.from_dict(data["source"]), PlacePlan.from_dict(data["target"]),
            tuple(TablePlan.from_dict(table) for table in data["tables"]), data["into_existing"], data["keep_images"],
            tuple(data["notes"]), dict(data["findings"]),
        )  # fmt: skip
