"""Engines by name, as the command line and configuration files say them."""

from __future__ import annotations

import os

from isthmus.errors import InvalidArgument
from isthmus_migration.engines.base import Engine


def engine_for(name: str | Engine, workers: int | None = None) -> Engine:
    """The engine of a name: ``inline``, ``threads``, ``processes``, ``dask``, or ``dask://HOST:PORT``.

    :param workers: how many slices run at once; the machine's processors and one more when ``None``
    :raises InvalidArgument: there is none of that name
    """
    if isinstance(name, Engine):
        return name
    count = workers if workers is not None else (os.cpu_count() or 1) + 1
    if count < 1:
        raise InvalidArgument("workers is a positive number")
    if name == "inline":
        from isthmus_migration.engines.inline import InlineEngine

        return InlineEngine()
    if name == "threads":
        from isthmus_migration.engines.threads import ThreadEngine

        return ThreadEngine(count)
    if name == "processes":
        from isthmus_migration.engines.processes import ProcessEngine

        return ProcessEngine(count)
    raise InvalidArgument(f"there is no engine {name!r}: choose inline, threads, processes, dask or dask://HOST:PORT")
