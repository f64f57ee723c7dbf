"""The plugin class: opens ``sqlite:`` URLs. The driver and the backend are imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isthmus import Backend, BackendConfig, Database, Plugin, Table, hookimpl
from isthmus_sqlite.options import Options, check_exists, database_path

if TYPE_CHECKING:
    from isthmus.slices import SliceReader


class SQLitePlugin(Plugin):
    """Opens ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db`` and ``sqlite://`` (in memory)."""

    name: ClassVar[str] = "sqlite"
    requires: ClassVar[str] = ">=0.1,<0.2"
    settings: ClassVar[type | None] = Options

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        if config.scheme != "sqlite":
            return None
        from isthmus_sqlite.backend import SQLiteBackend

        path, options = database_path(config.url), Options(**config.options)
        check_exists(path, options)
        return SQLiteBackend(path, options, config.clock)

    @hookimpl
    def isthmus_read_slices(self, database: Database, table: Table) -> SliceReader | None:
        if database.backend_name != self.name:
            return None
        from isthmus.slices import BackendReader

        return BackendReader(database, table)
