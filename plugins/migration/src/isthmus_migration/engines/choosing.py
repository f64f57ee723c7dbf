"""Engines by name, as the command line and configuration files say them."""

from __future__ import annotations

import os

from isthmus.errors import InvalidArgument
from isthmus_migration.engines.base import Engine
from isthmus_migration.slices.worker import Setup


def engine_of(setup: Setup, name: str | Engine | None, workers: int | None = None) -> Engine:
    """The engine for the places of a migration.

    :param name: see ``engine_for``; when ``None``, ``threads`` for databases that are open, else ``processes``
    :raises InvalidArgument: a database is open in this process, and the engine's workers are elsewhere
    """
    if name is None:
        name = "threads" if setup.opened else "processes"
    engine = engine_for(name, workers)
    if setup.opened and not engine.in_process:
        raise InvalidArgument(
            f"workers of the engine {engine.name} can't use a database that is open in this process: use the engine "
            "threads or inline, or plan with the database's URL"
        )
    return engine


def engine_for(name: str | Engine, workers: int | None = None) -> Engine:
    """The engine of a name: ``inline``, ``threads``, ``processes``, ``dask``, or ``dask://HOST:PORT``.

    :param workers: how many slices run at once; when ``None``, the machine's processors and one more, or all threads of
        a cluster that runs already
    :raises InvalidArgument: there is none of that name
    """
    if isinstance(name, Engine):
        return name
    count = workers if workers is not None else (os.cpu_count() or 1) + 1
    if type(count) is not int or count < 1:
        raise InvalidArgument(f"workers is a positive whole number, not {count!r}")
    if name == "inline":
        from isthmus_migration.engines.inline import InlineEngine

        return InlineEngine()
    if name == "threads":
        from isthmus_migration.engines.threads import ThreadEngine

        return ThreadEngine(count)
    if name == "processes":
        from isthmus_migration.engines.processes import ProcessEngine

        return ProcessEngine(count)
    if name == "dask" or str(name).startswith("dask://"):
        from isthmus_migration.engines.dask import SCHEME, DaskEngine

        return DaskEngine(None, count) if name == "dask" else DaskEngine(_address(name.removeprefix(SCHEME)), workers)
    raise InvalidArgument(f"there is no engine {name!r}: choose inline, threads, processes, dask or dask://HOST:PORT")


def _address(text: str) -> str:
    host, colon, port = text.rstrip("/").rpartition(":")
    if not (host and colon and port.isdigit()):
        raise InvalidArgument(f"dask://{text} names no scheduler: say dask://HOST:PORT, the port is 8786 as a rule")
    return f"{host}:{port}"
