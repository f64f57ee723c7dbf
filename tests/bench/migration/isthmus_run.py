"""What is measured: ``python -m tests.bench.migration.isthmus_run SOURCE TARGET WORKDIR TABLE``.

As in the ``isthmus`` command, the module itself loads nothing: worker processes load it anew.
"""

from __future__ import annotations

import sys
from time import time
from typing import Any

from tests.bench.migration.landings import Landing, summary


def main() -> None:
    """Plan and run a migration, and tell how that went."""
    from isthmus_migration import Migration, RunOptions

    source, target, workdir, table = sys.argv[1:]
    landings: list[Landing] = []

    def listen(code: str, data: dict[str, Any]) -> None:
        if code == "slice":
            landings.append(Landing(data["written"], time()))

    migration = Migration.plan(source, target, workdir=workdir, tables=(table,))
    outcome = migration.run(options=RunOptions(listener=listen))
    assert outcome.finished, outcome
    print(summary(landings))


if __name__ == "__main__":
    main()
