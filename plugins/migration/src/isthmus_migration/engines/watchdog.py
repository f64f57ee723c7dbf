"""Workers that end by themselves when their coordinator dies.

Processes of a pool hold each other's ends of its pipes, so a killed coordinator leaves them waiting for ever; a late
one could even finish a slice that another run has done again.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

_INTERVAL: Final = 0.3


def end_with_parent(parent: int) -> None:
    """Watch the parent process from a thread, and leave at once when it is gone, or was gone before."""
    threading.Thread(target=_watch, args=(parent,), name="isthmus-watchdog", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    os._exit(0)
