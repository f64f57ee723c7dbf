"""Moving data between the backends of Isthmus: plan, copy, verify, repair, roll back.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus_migration.async_migration import AsyncDeadLetters, AsyncMigration, averify
    from isthmus_migration.coordination.control import Rates
    from isthmus_migration.coordination.options import DeadLimit, RunOptions
    from isthmus_migration.coordination.outcomes import PhaseOutcome
    from isthmus_migration.dead.dead_letters import DeadLetters
    from isthmus_migration.dead.letters import Letter
    from isthmus_migration.dead.results import Replay
    from isthmus_migration.engines.base import Engine
    from isthmus_migration.errors import MigrationError
    from isthmus_migration.journal.states import State
    from isthmus_migration.migration import Migration
    from isthmus_migration.plans.estimates import Prices
    from isthmus_migration.plans.findings import Finding, Preflight
    from isthmus_migration.plans.plan import Plan
    from isthmus_migration.reports.status import Status
    from isthmus_migration.rollback.results import Conflict, RollbackResult
    from isthmus_migration.transforms import Computed, Merge, Split, Target, Transform, TransformError, TypeOf
    from isthmus_migration.verification.repair import Repair
    from isthmus_migration.verification.results import Mismatch, TableResult, Verification
    from isthmus_migration.verification.standalone import verify_places as verify

__all__ = [
    "AsyncDeadLetters",
    "AsyncMigration",
    "Computed",
    "Conflict",
    "DeadLetters",
    "DeadLimit",
    "Engine",
    "Finding",
    "Letter",
    "Merge",
    "Migration",
    "MigrationError",
    "Mismatch",
    "PhaseOutcome",
    "Plan",
    "Preflight",
    "Prices",
    "Rates",
    "Repair",
    "Replay",
    "RollbackResult",
    "RunOptions",
    "Split",
    "State",
    "Status",
    "TableResult",
    "Target",
    "Transform",
    "TransformError",
    "TypeOf",
    "Verification",
    "averify",
    "verify",
]

_MODULES = {
    "async_migration": ("AsyncDeadLetters", "AsyncMigration", "averify"),
    "coordination.control": ("Rates",),
    "coordination.options": ("DeadLimit", "RunOptions"),
    "coordination.outcomes": ("PhaseOutcome",),
    "dead.dead_letters": ("DeadLetters",),
    "dead.letters": ("Letter",),
    "dead.results": ("Replay",),
    "engines.base": ("Engine",),
    "errors": ("MigrationError",),
    "journal.states": ("State",),
    "migration": ("Migration",),
    "plans.estimates": ("Prices",),
    "plans.findings": ("Finding", "Preflight"),
    "plans.plan": ("Plan",),
    "reports.status": ("Status",),
    "rollback.results": ("Conflict", "RollbackResult"),
    "transforms": ("Computed", "Merge", "Split", "Target", "Transform", "TransformError", "TypeOf"),
    "verification.repair": ("Repair",),
    "verification.results": ("Mismatch", "TableResult", "Verification"),
    "verification.standalone": ("verify",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}
# ``verify`` says enough in a package of this name, and too little within it.
_NAMES = {"verify": "verify_places"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'isthmus_migration' has no attribute {name!r}")
    found = getattr(import_module(f"isthmus_migration.{_PLACES[name]}"), _NAMES.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
