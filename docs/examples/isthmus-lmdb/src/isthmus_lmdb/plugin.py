"""Opens ``lmdb:///relative/path`` and ``lmdb:////absolute/path``."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote

from isthmus import Backend, BackendConfig, Plugin, hookimpl
from isthmus.errors import ConfigurationError
from isthmus_lmdb.backend import LMDBBackend
from isthmus_lmdb.files import acquire

MAP_SIZE = 64 * 2**30


class LMDBPlugin(Plugin):
    """Named by the entry point ``lmdb``, so the core loads it for URLs of that scheme."""

    name: ClassVar[str] = "lmdb"
    requires: ClassVar[str] = ">=0.1,<0.2"

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        if config.scheme != "lmdb":
            return None
        path = unquote(config.url.path[1:])
        problems = _problems(config, path)
        if problems:
            raise ConfigurationError(f"the lmdb URL is wrong: {'; '.join(problems)}", problems=problems)
        return LMDBBackend(acquire(path, int(config.options.get("map_size", MAP_SIZE))), config.clock)


def _problems(config: BackendConfig, path: str) -> list[str]:
    """Everything that is wrong, so that it can be reported at once."""
    found = [f"option {name!r} is unknown, use map_size" for name in config.options if name != "map_size"]
    if config.url.netloc or not path:
        found.append("a file is named after three slashes, as in lmdb:///shop.lmdb")
    size = str(config.options.get("map_size", MAP_SIZE))
    if not size.isdecimal() or int(size) < 2**20:
        found.append("map_size is a number of bytes, at least 1048576")
    return found
