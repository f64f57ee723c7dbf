"""Engines that several processes share: the first that needs one starts it, all end with their owner."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import asdict, define

from isthmus_engines.dynamodb import start_dynamodb
from isthmus_engines.errors import EngineError, EngineMissing
from isthmus_engines.keeper import LEASE
from isthmus_engines.kinds import VARIABLES, Kind, Running, running_at
from isthmus_engines.locks import Lease, locked
from isthmus_engines.mongodb import start_set_of_one, start_set_of_three, start_standalone
from isthmus_engines.moto_server import start_moto
from isthmus_engines.servers import ENDING_SECONDS, is_alive, wait_until

IN_MEMORY = Path("/dev/shm")  # data in memory makes journaled writes quick; the folder in it is private
IN_MEMORY_BYTES = 2 << 30

STARTERS: dict[Kind, Callable[[Path], Running]] = {
    "mongodb": start_set_of_one,
    "mongodb_standalone": start_standalone,
    "mongodb_set": start_set_of_three,
    "dynamodb": start_dynamodb,
    "moto": start_moto,
}


@define
class Engines:
    """The engines of one run.

    :param root: the folder with their data and their addresses, which is how processes find each other's engines
    :param lease: held by the owner; ``None`` in a process that joined
    """

    root: Path
    lease: Lease | None = None

    @classmethod
    def own(cls) -> Engines:
        """Engines that end with this process, or when it closes them."""
        root = Path(tempfile.mkdtemp(prefix="isthmus-engines-", dir=_data_folder()))
        return cls(root, Lease.take(root / LEASE))

    @classmethod
    def join(cls, root: Path) -> Engines:
        """The engines of another process."""
        return cls(root)

    def running(self, kind: Kind) -> Running:
        """The engine of that kind, started if nobody did yet.

        :raises EngineMissing: there is none, and none can be fetched
        :raises EngineError: it does not start
        """
        address = os.environ.get(VARIABLES[kind])
        if address:
            return running_at(kind, address)
        with locked(self.root / f"{kind}.lock"):
            return self._read(kind) or self._start(kind)

    def close(self) -> None:
        """End the engines, if they are this process's own; their data goes with them."""
        if self.lease is None:
            return
        ids = [one for kind in STARTERS for one in self._ids(kind)]
        self.lease.release()
        self.lease = None
        with suppress(EngineError):
            wait_until(lambda: not any(is_alive(one) for one in ids), ENDING_SECONDS, "the engines to end")
        shutil.rmtree(self.root, ignore_errors=True)

    def _start(self, kind: Kind) -> Running:
        try:
            found = STARTERS[kind](self.root)
        except EngineMissing as error:
            # Other processes would only look for it, in vain, again.
            self._file(kind).write_text(json.dumps({"missing": str(error)}))
            raise
        self._file(kind).write_text(json.dumps(asdict(found)))
        return found

    def _read(self, kind: Kind) -> Running | None:
        if not self._file(kind).exists():
            return None
        known = json.loads(self._file(kind).read_text())
        if "missing" in known:
            raise EngineMissing(known["missing"])
        return Running(**{**known, "process_ids": tuple(known["process_ids"])})

    def _ids(self, kind: Kind) -> tuple[int, ...]:
        try:
            found = self._read(kind)
        except EngineMissing:
            return ()
        return found.process_ids if found else ()

    def _file(self, kind: Kind) -> Path:
        return self.root / f"{kind}.json"


@contextmanager
def engine(kind: Kind) -> Iterator[Running]:
    """An engine of its own, ended at the end of the block; or the server that the environment names.

    :raises EngineMissing: there is none, and none can be fetched
    :raises EngineError: it does not start
    """
    engines = Engines.own()
    try:
        yield engines.running(kind)
    finally:
        engines.close()


def _data_folder() -> Path | None:
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > IN_MEMORY_BYTES
    return IN_MEMORY if roomy and os.access(IN_MEMORY, os.W_OK) else None
