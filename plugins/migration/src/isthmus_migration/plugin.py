"""The plugin class of the package."""

from __future__ import annotations

from typing import ClassVar

from isthmus import Plugin


class MigrationPlugin(Plugin):
    """Names the package to Isthmus; its commands and its API work without being activated."""

    name: ClassVar[str] = "migration"
    requires: ClassVar[str] = ">=0.1,<0.2"
