"""Locks between processes. The kernel lets go of them when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; others wait."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@define
class Lease:
    """A lock that lasts until it is released or its holder ends.

    Unlocked by name rather than closed: a process that was forked meanwhile shares the file, and must not keep it.
    """

    descriptor: int

    @classmethod
    def take(cls, path: Path) -> Lease:
        """Take the lease of a file that nobody holds yet."""
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return cls(descriptor)

    def release(self) -> None:
        """Let go; what waits for it goes on."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)
