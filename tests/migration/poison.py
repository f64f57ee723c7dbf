"""Transforms that one item kills, or keeps for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.migration.runs import MARKER

DEADLY = 777
FIRST = "FILE_OF_THE_FIRST"


def deadly(item: dict[str, Any]) -> dict[str, Any]:
    """The item as it is; for one of them, the end of the process, but not when a plan tries it on a sample."""
    if item["id"] == DEADLY and MARKER in os.environ:
        os._exit(3)
    return item


def lasting(item: dict[str, Any]) -> dict[str, Any]:
    """The item as it is; whoever gets to one of them first, as a new file tells, never goes on."""
    if item["id"] == DEADLY and MARKER in os.environ and _is_first(Path(os.environ[FIRST])):
        time.sleep(1_000_000)
    return item


def _is_first(file: Path) -> bool:
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
