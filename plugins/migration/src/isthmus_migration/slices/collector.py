"""Pausing Python's cycle collector while items are converted: they have no cycles, and it would visit all of them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_paused = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """No collection inside; several threads may be inside at once.

    Whoever leaves others behind collects what came lately: with threads at work all the time there would be no other
    moment for it, and drivers and errors do make a cycle now and then.
    """
    global _paused  # noqa: PLW0603  # the collector is one for the whole process
    with _lock:
        _paused += 1
        if _paused == 1:
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _paused -= 1
            if _paused:
                gc.collect(1)
            else:
                gc.enable()
