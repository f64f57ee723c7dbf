"""The plugin class: opens ``mongodb:`` URLs. The driver and the backend are imported only then."""

from __future__ import annotations

from typing import ClassVar

from isthmus import Backend, BackendConfig, Plugin, hookimpl
from isthmus_mongodb.options import Options


class MongoDBPlugin(Plugin):
    """Opens ``mongodb:`` URLs."""

    name: ClassVar[str] = "mongodb"
    requires: ClassVar[str] = ">=0.1,<0.2"
    settings: ClassVar[type | None] = Options

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        if config.scheme != "mongodb":
            return None
        from isthmus_mongodb.backend import open_backend

        return open_backend(config)
