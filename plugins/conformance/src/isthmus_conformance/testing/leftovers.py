"""Tables that killed runs left behind: finding and removing them.

``python -m isthmus_conformance.testing.leftovers URL`` lists them, ``--remove`` removes them. Only names that the test
fixtures make are ever touched, and only those of runs that began long ago, so that a run at work keeps its tables.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from attrs import frozen

import isthmus
from isthmus.errors import IsthmusError, TableNotFound
from isthmus_conformance.testing.names import started_at

DAY = 86_400.0


@frozen
class Leftover:
    """A table of a run of tests.

    :param name: as it is stored
    :param started: when its run began, seconds since the epoch
    """

    name: str
    started: int


def find_leftovers(database: isthmus.Database, *, older_than: float = DAY, now: float | None = None) -> list[Leftover]:
    """The tables of runs that began before ``older_than`` seconds, by name.

    :param database: opened as a program opens it, not the fixture ``isthmus_database``
    """
    latest = (time.time() if now is None else now) - older_than
    found = [(name, started_at(name)) for name in database.tables.list()]
    return [Leftover(name, started) for name, started in found if started is not None and started <= latest]


def remove_leftovers(
    database: isthmus.Database, *, older_than: float = DAY, now: float | None = None
) -> list[Leftover]:
    """Remove the tables that :func:`find_leftovers` finds, and return them."""
    found = find_leftovers(database, older_than=older_than, now=now)
    for leftover in found:
        drop_quietly(database, leftover.name)
    return found


def drop_quietly(database: isthmus.Database, name: str) -> None:
    """Remove a table that may be gone already."""
    try:
        database.tables.drop(name)
    except TableNotFound:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description="Tables that killed runs of tests left behind.")
    parser.add_argument("url", help="the database that the tests used")
    parser.add_argument(
        "--older-than", type=float, default=DAY, metavar="SECONDS", help="age of the run; default: a day"
    )
    parser.add_argument("--remove", action="store_true", help="remove them; without it they are listed")
    given = parser.parse_args(arguments)
    try:
        with isthmus.connect(given.url) as database:
            found = (remove_leftovers if given.remove else find_leftovers)(database, older_than=given.older_than)
    except IsthmusError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1
    for leftover in found:
        sys.stdout.write(f"{leftover.name}\n")
    sys.stderr.write(f"{len(found)} tables {'removed' if given.remove else 'found'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
