"""The plugin class: opens ``dynamodb:`` URLs. The driver and the backend are imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isthmus import Backend, BackendConfig, Database, Plugin, Table, hookimpl
from isthmus_dynamodb.options import Options

if TYPE_CHECKING:
    from isthmus.slices import SliceReader


class DynamoDBPlugin(Plugin):
    """Opens ``dynamodb:`` URLs."""

    name: ClassVar[str] = "dynamodb"
    requires: ClassVar[str] = ">=0.1,<0.2"
    settings: ClassVar[type | None] = Options

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        if config.scheme != "dynamodb":
            return None
        from isthmus_dynamodb.backend import open_backend

        return open_backend(config)

    @hookimpl
    def isthmus_read_slices(self, database: Database, table: Table) -> SliceReader | None:
        if database.backend_name != self.name:
            return None
        from isthmus.slices import CountedSegments

        return CountedSegments(database, table)
