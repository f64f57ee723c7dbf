"""The plugin class: opens ``mongodb:`` URLs. The driver and the backend are imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isthmus import Backend, BackendConfig, Database, Plugin, Table, hookimpl

if TYPE_CHECKING:
    from isthmus.dumps import DumpFormat
    from isthmus.slices import SliceReader


class MongoDBPlugin(Plugin):
    """Opens ``mongodb://host:port/database`` and ``mongodb+srv://host/database``.

    It declares no settings class, because the driver's own options are spelled in any case; the backend checks them.
    """

    name: ClassVar[str] = "mongodb"
    requires: ClassVar[str] = ">=0.1,<0.2"

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        if config.scheme not in ("mongodb", "mongodb+srv"):
            return None
        from isthmus_mongodb.backend import open_backend

        return open_backend(config)

    @hookimpl
    def isthmus_read_slices(self, database: Database, table: Table) -> SliceReader | None:
        if database.backend_name != self.name:
            return None
        from isthmus.slices import BackendReader

        return BackendReader(database, table)

    @hookimpl
    def isthmus_dump_format(self, name: str) -> DumpFormat | None:
        from isthmus_mongodb.dump_codec import FORMAT_NAME, Mongodump

        return Mongodump() if name == FORMAT_NAME else None
