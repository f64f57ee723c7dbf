"""Dump formats that belong to a backend: how its own tools keep the items of tables in files.

A plugin that knows such a format offers it by the hook ``isthmus_dump_format``. So what is exported in it can be
restored by the tools of the store and used through Isthmus afterwards, and a dump that these tools made can be read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from isthmus.capabilities import Limits
from isthmus.errors import PluginError
from isthmus.plugins import BACKENDS, build_manager, load
from isthmus.schema import Table
from isthmus.values import Item


class DumpCodec(ABC):
    """The items of one table as records of a file."""

    @abstractmethod
    def encode(self, item: Item) -> bytes:
        """The record of a normal item.

        :raises InvalidArgument: the format can't hold the item without loss
        """

    @abstractmethod
    def decode(self, record: bytes) -> Item:
        """The normal item behind a record.

        :raises InvalidStoredValue: it is no record, or holds what is no portable value
        """


@frozen
class DumpedTable:
    """A table that a dump holds.

    :param collection: what the store calls it, which is also the name of its file
    """

    collection: str
    table: Table


class DumpFormat(ABC):
    """One format: records of items, and what the store keeps beside them.

    :cvar limits: of what it can hold
    :cvar catalogue: name of the file with the definitions of all tables
    """

    limits: Limits
    catalogue: str

    @abstractmethod
    def codec(self, table: Table) -> DumpCodec:
        """How the items of a table are written and read."""

    @abstractmethod
    def metadata(self, table: Table) -> Mapping[str, Any]:
        """What restores the table's indexes, as JSON-ready data."""

    @abstractmethod
    def catalogue_metadata(self) -> Mapping[str, Any]:
        """The same for the file with the definitions."""

    @abstractmethod
    def catalogue_records(self, tables: Sequence[Table]) -> list[bytes]:
        """The records of the file with the definitions."""

    @abstractmethod
    def tables(self, records: Iterable[bytes]) -> list[DumpedTable]:
        """The tables of a dump, by the records of that file.

        :raises IntegrityError: a record is damaged, or of another version
        """


def dump_format(name: str, backend: str) -> DumpFormat:
    """The format that a backend's plugin offers.

    :raises PluginError: the plugin is not installed or broken, or has no such format
    """
    plugin = load(BACKENDS, backend)
    found: DumpFormat | None = build_manager([plugin()]).hook.isthmus_dump_format(name=name)
    if found is None:
        raise PluginError(f"the plugin {backend!r} has no dump format {name!r}: install a later version of it")
    return found
