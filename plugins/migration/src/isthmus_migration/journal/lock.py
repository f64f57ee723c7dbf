"""One coordinator for each work directory: a lock that the operating system releases when its process ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from typing import IO, Self

from isthmus_migration.errors import WorkDirectoryInUse


class WorkLock:
    """Holds ``lock`` in a work directory as long as it is open; its text names process and host."""

    def __init__(self, workdir: Path) -> None:
        self._path = workdir / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock.

        :raises WorkDirectoryInUse: another process has it
        """
        stream = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            holder = _holder(stream.read())
            stream.close()
            raise WorkDirectoryInUse(
                f"{self._path.parent} is at work in {holder}: wait for it, or stop it with `isthmus migrate stop`"
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        stream.flush()
        self._file = stream

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _holder(text: str) -> str:
    try:
        data = json.loads(text)
        return f"process {int(data['pid'])} on {data['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
