"""LMDB files: opened once in a process, however many databases use them, and written by one thread at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
from attrs import define, field

from isthmus.embedded import seconds_left, too_late
from isthmus.errors import Closed, ConfigurationError, IntegrityError
from isthmus.operations import Operation

_MARK, _FORMAT = b"isthmus-lmdb", b"1"
_READERS = 1_024


@define(eq=False)
class File:
    """An open file and the number of its users."""

    environment: lmdb.Environment
    users: int = 0
    writing: threading.Lock = field(factory=threading.Lock)

    @contextmanager
    def write(self, operation: Operation) -> Iterator[lmdb.Transaction]:
        """A transaction that commits durably, or leaves nothing behind when the body raises."""
        left = seconds_left(operation.context)
        if not self.writing.acquire(timeout=min(max(0.0, left), threading.TIMEOUT_MAX)):
            raise too_late(operation)
        try:
            with self.environment.begin(write=True) as transaction:
                # Another process may have kept us waiting for the file's own lock.
                if seconds_left(operation.context) <= 0:
                    raise too_late(operation)
                yield transaction
        finally:
            self.writing.release()


# LMDB forbids to open a file twice in one process, and to use it in a process forked later.
_files: dict[tuple[int, str], File] = {}
_guard = threading.Lock()


def acquire(path: str, map_size: int) -> File:
    """The file at ``path``, created if it is missing; each call is paired with one of ``release``.

    :param map_size: address space to reserve in bytes, the most that the file can hold
    :raises ConfigurationError: the file can't be opened
    :raises IntegrityError: it is damaged, or belongs to something else
    """
    place = (os.getpid(), str(Path(path).resolve()))
    with _guard:
        if place not in _files:
            _files[place] = File(_open(place[1], map_size))
        _files[place].users += 1
        return _files[place]


@contextmanager
def used(file: File) -> Iterator[None]:
    """One more user while the body runs, so that a file is never closed under a call."""
    with _guard:
        if file.users == 0:
            raise Closed("the database was closed: connect again")
        file.users += 1
    try:
        yield
    finally:
        release(file)


def release(file: File) -> None:
    """Close the file after its last user."""
    with _guard:
        file.users -= 1
        if file.users == 0:
            for place in [place for place, known in _files.items() if known is file]:
                del _files[place]
            file.environment.close()


def _open(path: str, map_size: int) -> lmdb.Environment:
    try:
        environment = lmdb.open(path, subdir=False, map_size=map_size, max_readers=_READERS)
    except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as error:
        raise IntegrityError(f"{path!r} is no LMDB file, or a damaged one: name another file") from error
    except lmdb.Error as error:
        raise ConfigurationError(f"{path!r} can't be opened: check its folder and permissions") from error
    try:
        _claim(environment, path)
    except BaseException:
        environment.close()
        raise
    return environment


def _claim(environment: lmdb.Environment, path: str) -> None:
    """Mark a new file as ours, and refuse a file of another program."""
    with environment.begin(write=True) as transaction:
        if transaction.stat()["entries"] == 0:
            transaction.put(_MARK, _FORMAT)
        elif transaction.get(_MARK) != _FORMAT:
            raise IntegrityError(f"{path!r} belongs to another program or version: name another file")
