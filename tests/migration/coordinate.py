"""A coordinator in a process of its own, for tests that kill it: opens a migration and does what it is told.

Used as ``python -m tests.migration.coordinate WORKDIR ACTION OPTIONS``, with options as JSON text.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, Final

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.control import Rates
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.migration import Migration

PAUSED: Final = 9
FAILED: Final = 5
UNWRITABLE: Final = 6


def main(workdir: str, action: str, text: str) -> int:
    """Do one action; 0 where it finished."""
    options: dict[str, Any] = json.loads(text)
    engine, workers = options.pop("engine", "processes"), options.pop("workers", 2)
    if size := options.pop("file_bytes", None):
        # As full as a disk can be for files of this size, without a disk of its own.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    rates = Rates(items=options.pop("items_per_second", None))
    migration = Migration.open(workdir)
    method = getattr(migration, {"copy": "run"}.get(action, action))
    try:
        outcome: Any = method(engine=engine, workers=workers, options=RunOptions(rates=rates, **options))
    except IsthmusError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return UNWRITABLE if isinstance(error, JournalUnwritable) else FAILED
    return 0 if getattr(outcome, "finished", True) else PAUSED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
