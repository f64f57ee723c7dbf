"""Workers that end by themselves when their coordinator dies.

Processes of a pool hold each other's ends of its pipes, so a killed coordinator leaves them waiting for ever; a late
one could even finish a slice that another run has done again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Final

_INTERVAL: Final = 0.3
_SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def end_with_parent(parent: int) -> None:
    """Leave at once when the parent process is gone, or was gone before.

    On Linux the system ends this process, together with the thread that started it; a thread of its own watches as
    well, which can do nothing while a call holds the interpreter, a regular expression without an end say.
    """
    _end_by_the_system()
    threading.Thread(target=_watch, args=(parent,), name="isthmus-watchdog", daemon=True).start()


def _end_by_the_system() -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without this call
            ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    os._exit(0)
