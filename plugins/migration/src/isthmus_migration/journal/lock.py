"""One coordinator for each work directory: a lock that the operating system releases when its process ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

from attrs import frozen

from isthmus_migration.errors import WorkDirectoryDamaged, WorkDirectoryInUse

_ATTEMPTS: Final = 5
_BETWEEN: Final = 0.05
_TAKEN: Final = (BlockingIOError, PermissionError)  # flock(2) and fcntl(2): EAGAIN, or EACCES on some network disks


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
        :raises WorkDirectoryDamaged: the directory is gone, or can't be written to
        """
        try:
            stream = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._take(stream)
        except BaseException:
            with suppress(OSError):  # closing tries once more to write
                stream.close()
            raise
        self._file = stream

    def _take(self, stream: IO[str]) -> None:
        try:
            locked = _locked(stream)
        except OSError as error:
            raise WorkDirectoryDamaged(
                f"{self._path} can't be locked ({error.strerror}): put the work directory on a disk that has locks"
            ) from error
        stream.seek(0)
        if not locked:
            raise WorkDirectoryInUse(
                f"{self._path.parent} is at work in {_holder(stream.read())}: wait for it, or stop it with "
                "`isthmus migrate stop`"
            )
        try:
            stream.truncate()
            stream.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
            stream.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> WorkDirectoryDamaged:
        return WorkDirectoryDamaged(
            f"{self._path} can't be written ({error.strerror}): make room, and the work directory writable, then resume"
        )

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(stream: IO[str]) -> bool:
    """Take the lock; somebody who only looks, see ``holder_of``, has it for a moment, so it is tried again."""
    for _attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except _TAKEN:
            time.sleep(_BETWEEN)
        else:
            return True
    return False


@frozen
class Holder:
    """The process that works in a directory.

    :param pid: ``None`` where its text can't be read, as for ``host``
    """

    pid: int | None = None
    host: str | None = None

    def __str__(self) -> str:
        return "another process" if self.pid is None else f"process {self.pid} on {self.host}"


def holder_of(workdir: Path) -> Holder | None:
    """The process that has the lock of a work directory, or ``None`` where nobody works.

    :raises WorkDirectoryDamaged: the lock can't be looked at
    """
    path = workdir / "lock"
    try:
        stream = path.open(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkDirectoryDamaged(f"{path} can't be read ({error.strerror}): check its permissions") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except _TAKEN:
            return _holder(stream.read())
        except OSError:  # a disk without locks: nobody can have one
            return None
    return None


def _holder(text: str) -> Holder:
    try:
        data = json.loads(text)
        return Holder(int(data["pid"]), str(data["host"]))
    except (ValueError, KeyError, TypeError):
        return Holder()
