"""What is measured: ``python -m tests.bench.migration.isthmus_run SOURCE TARGET WORKDIR TABLE``."""

from __future__ import annotations

import sys

from isthmus_migration.migration import Migration


def main() -> None:
    source, target, workdir, table = sys.argv[1:]
    migration = Migration.plan(source, target, workdir=workdir, tables=(table,))
    outcome = migration.run(engine="processes", workers=2)
    assert outcome.finished, outcome
    with migration.work.journal(writable=False) as journal:
        print(journal.counts("copy").written)


if __name__ == "__main__":
    main()
