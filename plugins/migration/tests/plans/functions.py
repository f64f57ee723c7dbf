"""Transforms that end the process that calls them, or never return."""

from __future__ import annotations

import os
import time
from typing import Any


def deadly(item: dict[str, Any]) -> dict[str, Any]:
    """The item, marked; for one of them, the end of the process."""
    if item["n"] == 3:
        os._exit(7)
    return {**item, "seen": True}


def hanging(_item: dict[str, Any]) -> None:
    """Nothing, ever."""
    time.sleep(1_000_000)
