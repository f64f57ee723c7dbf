"""A transform that kills whoever applies it to one item."""

from __future__ import annotations

import os
from typing import Any

from tests.migration.runs import MARKER

DEADLY = 777


def deadly(item: dict[str, Any]) -> dict[str, Any]:
    """The item as it is; for one of them, the end of the process, but not when a plan tries it on a sample."""
    if item["id"] == DEADLY and MARKER in os.environ:
        os._exit(3)
    return item
