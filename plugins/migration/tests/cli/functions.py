"""Transforms of runs that are to be interrupted."""

from __future__ import annotations

import os
import time
from typing import Any, Final

MARKER: Final = "ISTHMUS_TEST_LASTING"


def lasting(item: dict[str, Any]) -> dict[str, Any]:
    """The item; where the marker is in the environment, nothing, ever."""
    if MARKER in os.environ:
        time.sleep(1_000_000)
    return item
