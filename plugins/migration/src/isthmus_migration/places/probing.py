"""Looking at a target before anything is decided: nothing is made, neither a file nor a folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import isthmus
from isthmus.database_base import DatabaseBase
from isthmus.errors import ConfigurationError
from isthmus_migration.places.base import Place
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.places.identities import file_of
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.references import Given, resolve
from isthmus_migration.plans.plan import PlacePlan


def probe_target(plan: PlacePlan, given: Given | None = None) -> Place:
    """Open a target to look at it; one that does not exist yet is empty.

    :raises ConfigurationError: it could not be made
    """
    if isinstance(given, DatabaseBase):
        return open_place(plan, given)
    where = resolve(plan.reference, given)
    path = _missing_file(where)
    if path is None:
        return open_place(plan, given, create=True)
    if not os.access(path.parent, os.W_OK):
        raise ConfigurationError(f"{path} can't be made: is there a folder {path.parent} that may be written?")
    options = urlsplit(where).query  # wrong ones are refused now, and not when the plan is run
    return DatabasePlace(isthmus.connect(f"sqlite://?{options}" if options else "sqlite://"), url=where)


def _missing_file(where: str) -> Path | None:
    """The file of a SQLite database that does not exist yet: opening it would make it."""
    if not where.startswith("sqlite:///"):
        return None
    path = file_of(urlsplit(where))
    return None if path is None or path.exists() else path
