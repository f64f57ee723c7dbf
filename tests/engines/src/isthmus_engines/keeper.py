"""Keeps one server: starts it, and ends it once its lease is released, which a dead owner does too.

Run as a script, ``keeper.py ROOT COMMAND...``, with nothing but the standard library. It prints the server's process id
and goes on in the background; the folder ``ROOT``, which holds the lease and all data, is removed with the server.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

LEASE = "lease"
_PR_SET_PDEATHSIG = 1


def keep(root: Path, command: Sequence[str]) -> None:
    """Run the server until it ends or the lease is released."""
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=_die_with_keeper,  # noqa: PLW1509  # no thread runs yet
    )
    print(server.pid, flush=True)
    # The caller reads to the end of this output, so no copy of it may stay open.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    released = threading.Event()
    watch = threading.Thread(target=_end_with_lease, args=(root, server, released), daemon=True)
    watch.start()
    server.wait()
    if released.is_set():
        watch.join()


def _end_with_lease(root: Path, server: subprocess.Popen[bytes], released: threading.Event) -> None:
    with (root / LEASE).open() as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)  # waits for as long as the owner lives and holds it
    released.set()
    server.kill()  # its data goes too, so there is nothing to end in order
    server.wait()
    shutil.rmtree(root, ignore_errors=True)


def _die_with_keeper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    if os.fork() == 0:
        keep(Path(sys.argv[1]), sys.argv[2:])
