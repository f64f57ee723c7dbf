"""Opening the places that references name."""

from __future__ import annotations

import isthmus
from isthmus.database_base import DatabaseBase
from isthmus_migration.places.base import Place
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.places.references import Given, folder_of, is_folder, opened_again, resolve
from isthmus_migration.plans.plan import PlacePlan


def open_place(plan: PlacePlan, given: Given | None = None, *, create: bool = False) -> Place:
    """Open a place.

    :param given: the whole URL, where the plan had to leave out its secrets, or the database that is open already
    :param create: whether a missing file or folder is created: a mistyped source must leave nothing
    :raises ConfigurationError: a variable is not set, or the URL has to be given again
    """
    if isinstance(given, DatabaseBase):
        return DatabasePlace(opened_again(plan.reference, given), borrowed=True)
    where = resolve(plan.reference, given)
    if is_folder(where):
        from isthmus_migration.places.exports import open_export  # few migrations have one

        return open_export(
            folder_of(where),
            format=plan.format,
            compression=plan.compression,
            lossy=plan.lossy,
            create=create,
            tables=plan.definitions,
        )
    return open_database(where, create=create)


def is_export(plan: PlacePlan, given: Given | None = None) -> bool:
    """Whether a place is a folder; the arguments and errors are those of :func:`open_place`."""
    return not isinstance(given, DatabaseBase) and is_folder(resolve(plan.reference, given))


def open_database(url: str, *, create: bool = False) -> DatabasePlace:
    """Open a database of a URL, with the plugins that the configuration activates."""
    if url.startswith("sqlite:///"):
        return DatabasePlace(isthmus.connect(url, sqlite={"create": create}), url=url)
    return DatabasePlace(isthmus.connect(url), url=url)
