"""A coordinator in a process of its own, for tests that kill it: opens a migration and does what it is told.

Used as ``python -m tests.migration.coordinate WORKDIR ACTION OPTIONS``, with options as JSON text.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration


def main(workdir: str, action: str, text: str) -> int:
    """Do one action; 0 where it finished, 9 where it paused, 5 where it failed."""
    options: dict[str, Any] = json.loads(text)
    engine, workers = options.pop("engine", "processes"), options.pop("workers", 2)
    migration = Migration.open(workdir)
    method = getattr(migration, {"copy": "run"}.get(action, action))
    try:
        outcome: Any = method(engine=engine, workers=workers, options=RunOptions(**options))
    except IsthmusError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 5
    return 0 if getattr(outcome, "finished", True) else 9


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
