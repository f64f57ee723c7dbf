"""For the tests of programs that use Isthmus: databases of their own, tables, seeds and faults, as pytest fixtures.

Names are loaded when they are first used: pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus_conformance.testing.areas import Area
    from isthmus_conformance.testing.faults import Faults, Injected
    from isthmus_conformance.testing.items import ItemMaker
    from isthmus_conformance.testing.leftovers import Leftover, find_leftovers, remove_leftovers
    from isthmus_conformance.testing.plugin import (
        AsyncRepositories,
        MakeAsyncTable,
        MakeItems,
        MakeTable,
        Repositories,
        Seed,
    )
    from isthmus_conformance.testing.seeding import seed_table

__all__ = [
    "Area",
    "AsyncRepositories",
    "Faults",
    "Injected",
    "ItemMaker",
    "Leftover",
    "MakeAsyncTable",
    "MakeItems",
    "MakeTable",
    "Repositories",
    "Seed",
    "find_leftovers",
    "remove_leftovers",
    "seed_table",
]

_PLACES = {
    "Area": "areas",
    "AsyncRepositories": "plugin",
    "Faults": "faults",
    "Injected": "faults",
    "ItemMaker": "items",
    "Leftover": "leftovers",
    "MakeAsyncTable": "plugin",
    "MakeItems": "plugin",
    "MakeTable": "plugin",
    "Repositories": "plugin",
    "Seed": "plugin",
    "find_leftovers": "leftovers",
    "remove_leftovers": "leftovers",
    "seed_table": "seeding",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
