"""The plugin class: opens ``mongodb:`` URLs. The driver and the backend are imported only then."""

from __future__ import annotations

from typing import ClassVar

from isthmus import Backend, BackendConfig, Plugin, hookimpl


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
