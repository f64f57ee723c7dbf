"""Accepting another plan in the middle of a migration: which changes keep what is done true, and which are refused.

Only transforms change. What was copied before stays as it is, and everything else follows the new plan: so nothing that
a former plan has written may lie under a key that the new one does not know. That holds where each item keeps its
key, before and after, and where no slice of the former plan is left that may have written items nobody counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field

from isthmus_migration.errors import PlanRefused, WrongState
from isthmus_migration.journal.acceptances import (
    AcceptedPlan,
    FormerTable,
    accept,
    copied_so_far,
    moved_keys,
    notes_keys,
    unsettled_units,
    was_repaired,
)
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.lock import WorkLock
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.places.base import Place
from isthmus_migration.places.probing import probe_target
from isthmus_migration.places.references import Given
from isthmus_migration.plans.differences import json_differences
from isthmus_migration.plans.making import check_transforms
from isthmus_migration.plans.plan import Plan, TablePlan
from isthmus_migration.transforms import CompiledTransform, Transform, compile_transform

_ACCEPTING: Final = (
    State.PLANNED, State.COPYING, State.PAUSED, State.FAILED, State.COPIED, State.VERIFYING, State.READY,
    State.DIFFERENT,
)  # fmt: skip
_SHOWN: Final = 3


def accept_new_plan(
    work: WorkDirectory, plan: Plan, target: Given | None, transforms: Mapping[str, Transform] | None
) -> tuple[Plan, AcceptedPlan | None]:
    """Put a plan with other transforms, or with other code of theirs, in force: the new one, or the former again.

    :param target: where the plan could not keep it
    :param transforms: of all tables that have one; when ``None``, only the code of functions has changed
    :return: the plan in force, and what is new in it; ``None`` where nothing is
    :raises PlanRefused: what is done would not stay true; ``problems`` says why
    :raises InvalidArgument: a transform is for no table that is moved
    :raises ConfigurationError: a function can't be found
    :raises WrongState: the migration was rolled back
    :raises WorkDirectoryInUse: the migration runs
    """
    check_transforms(transforms or {}, [table.source.name for table in plan.tables])
    with WorkLock(work.path), work.journal(writable=True) as journal:
        work.check_in_force(journal, plan)
        work.settle_plan(journal)
        if journal.state not in _ACCEPTING:
            raise WrongState(f"the migration is {journal.state}, so no plan of it changes: {journal.state.next_step}")
        with probe_target(plan.target, target) as there:
            accepting = Accepting(journal, there)
            new = evolve(plan, tables=tuple(accepting.table(table, transforms) for table in plan.tables))
        if accepting.problems:
            raise PlanRefused(
                f"the new plan can't be accepted: {'; '.join(accepting.problems)}", problems=accepting.problems
            )
        if new.hash == plan.hash:
            return plan, None
        differences = tuple(json_differences(plan.to_dict(), new.to_dict()))
        accepted = AcceptedPlan(time.time(), plan.hash, new.hash, differences, tuple(accepting.former))
        accept(journal, accepted, new.to_json())
        work.settle_plan(journal)
        return new, accepted


@define
class Accepting:
    """Decides table by table.

    :ivar problems: a sentence for each reason against it
    :ivar former: what was copied before, of tables that change
    """

    journal: Journal
    target: Place
    problems: list[str] = field(factory=list)
    former: list[FormerTable] = field(factory=list)

    def table(self, plan: TablePlan, transforms: Mapping[str, Transform] | None) -> TablePlan:
        """The new plan of a table; the former one where nothing changes."""
        name = plan.source.name
        planned = Transform.from_dict(plan.transform) if plan.transform else Transform()
        wished = evolve(planned, function_hash=None) if transforms is None else transforms.get(name, Transform())
        (units, items), unsettled = copied_so_far(self.journal, name), unsettled_units(self.journal, name)
        begun, sealed = bool(units or unsettled or was_repaired(self.journal, name)), wished.sealed()
        as_wished = sealed
        if begun and sealed.function is not None and plan.source.keys == plan.target.keys:
            # What a function does is seen only item by item: one that gets another key is then a dead letter.
            sealed = evolve(sealed, keep_keys=True)
        if planned in (as_wished, sealed):
            return plan
        self._check_definition(
            plan, compile_transform(evolve(sealed, keep_keys=False), plan.source, self.target.limits)
        )
        if begun:
            declared = evolve(sealed, function=None, function_hash=None, keep_keys=wished.keep_keys)
            moves = sealed.function is not None and not sealed.keep_keys
            moves = moves or compile_transform(declared, plan.source).changes_keys
            self._check_begun(plan, unsettled, moves=moves or moved_keys(self.journal, name))
            self.former.append(FormerTable(name, units, items, plan.transform))
        return evolve(plan, transform=None if sealed == Transform() else sealed.to_dict())

    def _check_definition(self, plan: TablePlan, compiled: CompiledTransform) -> None:
        wanted = self.target.kept(compiled.target_table)
        differences = plan.target.differences(wanted)
        if wanted.name != plan.target.name:
            differences = [f"its name is {wanted.name!r}"]
        if differences:
            self._refuse(
                plan,
                f"the target's table would be another one ({', '.join(differences)}): plan anew in another directory",
            )

    def _check_begun(self, plan: TablePlan, unsettled: list[str], *, moves: bool) -> None:
        """Refuse what would not be right any more, or could not be told, of a table of which items were copied.

        :param moves: whether items have, or would get, other keys in the target than in the source
        """
        undo = "put the former plan back, or roll back and plan anew"
        if not self.target.holds_keys:
            self._refuse(plan, "files of an export are written once: put the former plan back, or export anew")
        elif plan.occupied:
            self._refuse(
                plan,
                f"it held items of others, and what is left of the former plan could not be told from them: {undo}",
            )
        elif moves:
            self._refuse(plan, f"items have, or would get, other keys, and those of the former plan would stay: {undo}")
        elif not notes_keys(self.journal):
            self._refuse(plan, f"this work directory does not note whether keys were changed: {undo}")
        elif unsettled:
            names = ", ".join(unsettled[:_SHOWN]) + (", …" if len(unsettled) > _SHOWN else "")
            self._refuse(
                plan,
                f"slices of {names} were cut off and may have written items that nobody has counted: go on with the "
                f"former plan (resume or repair) until they are done, then stop it; or {undo}",
            )

    def _refuse(self, plan: TablePlan, reason: str) -> None:
        self.problems.append(f"table {plan.source.name!r}: {reason}")
