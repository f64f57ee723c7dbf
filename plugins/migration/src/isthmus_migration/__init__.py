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
    from isthmus_migration.coordination.progress import Figures
    from isthmus_migration.dead.dead_letters import DeadLetters
    from isthmus_migration.dead.letters import Letter, Original
    from isthmus_migration.dead.results import Replay
    from isthmus_migration.engines.base import Engine
    from isthmus_migration.errors import MigrationError
    from isthmus_migration.journal.acceptances import AcceptedPlan, FormerTable
    from isthmus_migration.journal.lock import Holder
    from isthmus_migration.journal.states import State
    from isthmus_migration.migration import Migration
    from isthmus_migration.places.references import Reference
    from isthmus_migration.plans.estimates import Prices
    from isthmus_migration.plans.findings import Estimate, Finding, Preflight, TablePreflight
    from isthmus_migration.plans.plan import PlacePlan, Plan, TablePlan
    from isthmus_migration.reports.status import Found, Status, TableCounts
    from isthmus_migration.rollback.results import Conflict, RollbackResult, TableRollback
    from isthmus_migration.transforms import Computed, Merge, Split, Target, Transform, TransformError, TypeOf
    from isthmus_migration.transforms.differences import Change, Sample
    from isthmus_migration.verification.repair import Repair
    from isthmus_migration.verification.results import Mismatch, TableResult, Verification
    from isthmus_migration.verification.showing import BothItems
    from isthmus_migration.verification.standalone import verify_places as verify

__all__ = [
    "AcceptedPlan",
    "AsyncDeadLetters",
    "AsyncMigration",
    "BothItems",
    "Change",
    "Computed",
    "Conflict",
    "DeadLetters",
    "DeadLimit",
    "Engine",
    "Estimate",
    "Figures",
    "Finding",
    "FormerTable",
    "Found",
    "Holder",
    "Letter",
    "Merge",
    "Migration",
    "MigrationError",
    "Mismatch",
    "Original",
    "PhaseOutcome",
    "PlacePlan",
    "Plan",
    "Preflight",
    "Prices",
    "Rates",
    "Reference",
    "Repair",
    "Replay",
    "RollbackResult",
    "RunOptions",
    "Sample",
    "Split",
    "State",
    "Status",
    "TableCounts",
    "TablePlan",
    "TablePreflight",
    "TableResult",
    "TableRollback",
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
    "coordination.progress": ("Figures",),
    "dead.dead_letters": ("DeadLetters",),
    "dead.letters": ("Letter", "Original"),
    "dead.results": ("Replay",),
    "engines.base": ("Engine",),
    "errors": ("MigrationError",),
    "journal.acceptances": ("AcceptedPlan", "FormerTable"),
    "journal.lock": ("Holder",),
    "journal.states": ("State",),
    "migration": ("Migration",),
    "places.references": ("Reference",),
    "plans.estimates": ("Prices",),
    "plans.findings": ("Estimate", "Finding", "Preflight", "TablePreflight"),
    "plans.plan": ("PlacePlan", "Plan", "TablePlan"),
    "reports.status": ("Found", "Status", "TableCounts"),
    "rollback.results": ("Conflict", "RollbackResult", "TableRollback"),
    "transforms": ("Computed", "Merge", "Split", "Target", "Transform", "TransformError", "TypeOf"),
    "transforms.differences": ("Change", "Sample"),
    "verification.repair": ("Repair",),
    "verification.results": ("Mismatch", "TableResult", "Verification"),
    "verification.showing": ("BothItems",),
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
