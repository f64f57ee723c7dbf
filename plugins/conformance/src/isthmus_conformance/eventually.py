"""Polling: reads through an index may lag behind writes (rule QRY-8)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from isthmus_conformance.comparing import assert_same

PATIENCE = 20.0
"""Seconds that an eventual read may lag."""


def eventually(expected: Any, read: Callable[[], Any], *, patience: float | None = None) -> None:
    """Fail unless ``read`` gives ``expected`` within ``patience`` seconds, by default ``PATIENCE``."""
    until, pause = time.monotonic() + (PATIENCE if patience is None else patience), 0.001
    while time.monotonic() < until:
        try:
            assert_same(expected, read())
        except AssertionError:
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        else:
            return
    assert_same(expected, read())
