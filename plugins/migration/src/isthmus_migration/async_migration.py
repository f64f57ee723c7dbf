"""``AsyncMigration``: the methods of ``Migration``, to be awaited while the event loop goes on with other work."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Self

from attrs import frozen

from isthmus.schema import Table
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.dead.dead_letters import DeadLetters
from isthmus_migration.dead.letters import Letter, Original
from isthmus_migration.dead.letters import Status as LetterStatus
from isthmus_migration.dead.results import Replay
from isthmus_migration.engines.base import Engine
from isthmus_migration.journal.acceptances import AcceptedPlan
from isthmus_migration.migration import Migration
from isthmus_migration.places.references import Given
from isthmus_migration.plans.estimates import Prices
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.plans.plan import IntoExisting, Plan
from isthmus_migration.plans.planning import MappingSource
from isthmus_migration.reports.status import Status
from isthmus_migration.rollback.results import Conflict, RollbackResult
from isthmus_migration.threads import in_thread, iterated
from isthmus_migration.transforms import Sample, Transform
from isthmus_migration.verification.repair import Repair
from isthmus_migration.verification.results import Mismatch, Verification
from isthmus_migration.verification.showing import BothItems
from isthmus_migration.verification.standalone import folder_for, verify_places


class AsyncMigration:
    """A migration whose coordinator runs in a thread. ``plan`` begins one, ``open`` goes on with one.

    Everything is as ``Migration`` says it. Whoever awaits a method and is cancelled has it stop after the slices at
    work; what was done is journaled, so that the same call goes on later.

    :param blocking: the migration in its blocking form
    """

    def __init__(self, blocking: Migration) -> None:
        self.blocking = blocking

    @classmethod
    async def plan(
        cls,
        source: Given,
        target: Given,
        *,
        workdir: str | os.PathLike[str],
        tables: Sequence[str] = (),
        transforms: Mapping[str, Transform] | None = None,
        mapping: MappingSource | None = None,
        into_existing: IntoExisting = "refuse",
        keep_images: bool = True,
        units: int | None = None,
        workers: int = 2,
        sample: int = 1_000,
        seed: int = 0,
        prices: Prices | None = None,
        format: str | None = None,
        compression: str | None = None,
        lossy: bool = False,
        definitions: Sequence[Table] = (),
    ) -> Self:
        """Plan a migration and write the plan down: see ``Migration.plan``."""
        planned = partial(
            Migration.plan, source, target, workdir=workdir, tables=tables, transforms=transforms, mapping=mapping,
            into_existing=into_existing, keep_images=keep_images, units=units, workers=workers, sample=sample,
            seed=seed, prices=prices, format=format, compression=compression, lossy=lossy,
            definitions=definitions,
        )  # fmt: skip
        return cls(await in_thread(planned))

    @classmethod
    async def open(
        cls, workdir: str | os.PathLike[str], *, source: Given | None = None, target: Given | None = None
    ) -> Self:
        """A migration that was planned before: see ``Migration.open``."""
        return cls(await in_thread(partial(Migration.open, workdir, source=source, target=target)))

    @property
    def the_plan(self) -> Plan:
        """The plan."""
        return self.blocking.the_plan

    @property
    def preflight(self) -> Preflight | None:
        """What was found when the plan was made: see ``Migration.preflight``."""
        return self.blocking.preflight

    @property
    def samples(self) -> Mapping[str, tuple[Sample, ...]]:
        """What each table's transform made of some items: see ``Migration.samples``."""
        return self.blocking.samples

    @property
    def dead(self) -> AsyncDeadLetters:
        """The items that could not be moved, and what can be done with them."""
        return AsyncDeadLetters(self.blocking.dead)

    async def run(
        self, *, engine: str | Engine | None = None, workers: int | None = None, options: RunOptions | None = None
    ) -> PhaseOutcome:
        """Copy: see ``Migration.run``."""
        return await in_thread(
            partial(self.blocking.run, engine=engine, workers=workers, options=options), self.blocking.work.path
        )

    async def accept_new_plan(
        self, *, transforms: Mapping[str, Transform] | None = None, mapping: MappingSource | None = None
    ) -> AcceptedPlan | None:
        """Go on with other transforms, or with other code of them: see ``Migration.accept_new_plan``."""
        return await in_thread(partial(self.blocking.accept_new_plan, transforms=transforms, mapping=mapping))

    async def status(self) -> Status:
        """Where it stands now: see ``Migration.status``."""
        return await in_thread(self.blocking.status)

    async def report(self, form: str = "md") -> str:
        """The report as text: see ``Migration.report``."""
        return await in_thread(partial(self.blocking.report, form))

    async def verify(
        self, level: str = "digest", *, sample: int = 1_000, seed: int = 0, extra: bool | None = None,
        again: bool = False, engine: str | Engine | None = None, workers: int | None = None,
        options: RunOptions | None = None,
    ) -> Verification:  # fmt: skip
        """Prove that the target holds what it should, or name what differs: see ``Migration.verify``."""
        verified = partial(
            self.blocking.verify, level, sample=sample, seed=seed, extra=extra, again=again, engine=engine,
            workers=workers, options=options,
        )  # fmt: skip
        return await in_thread(verified, self.blocking.work.path)

    async def repair(
        self, *, delete_extra: bool = False, engine: str | Engine | None = None, workers: int | None = None,
        options: RunOptions | None = None,
    ) -> Repair:  # fmt: skip
        """Copy again what the last verification found: see ``Migration.repair``."""
        repaired = partial(
            self.blocking.repair, delete_extra=delete_extra, engine=engine, workers=workers, options=options
        )
        return await in_thread(repaired, self.blocking.work.path)

    async def rollback(
        self, *, force: bool = False, guarded: bool = False, engine: str | Engine | None = None,
        workers: int | None = None, options: RunOptions | None = None,
    ) -> RollbackResult:  # fmt: skip
        """Put the target back to what it was before: see ``Migration.rollback``."""
        undone = partial(
            self.blocking.rollback, force=force, guarded=guarded, engine=engine, workers=workers, options=options
        )
        return await in_thread(undone, self.blocking.work.path)

    def mismatches(self, *, status: str | None = "open") -> AsyncIterator[Mismatch]:
        """The keys that the last verification found to differ: see ``Migration.mismatches``."""
        return iterated(self.blocking.mismatches(status=status))

    async def items_of(self, mismatch: Mismatch) -> BothItems:
        """What both sides hold now under a key that differs: see ``Migration.items_of``."""
        return await in_thread(partial(self.blocking.items_of, mismatch))

    def conflicts(self) -> AsyncIterator[Conflict]:
        """The items that a rollback left as they are."""
        return iterated(self.blocking.conflicts())


@frozen
class AsyncDeadLetters:
    """The methods of ``DeadLetters``, to be awaited."""

    blocking: DeadLetters

    def list(
        self, *, table: str | None = None, key: str | None = None, code: str | None = None, phase: str | None = None,
        status: LetterStatus | None = "open",
    ) -> AsyncIterator[Letter]:  # fmt: skip
        """The letters for which all that is said holds: see ``DeadLetters.list``."""
        return iterated(self.blocking.list(table=table, key=key, code=code, phase=phase, status=status))

    async def show(self, letter: int) -> tuple[Letter, Original]:
        """A letter with its original: see ``DeadLetters.show``."""
        return await in_thread(partial(self.blocking.show, letter))

    async def acknowledge(self, which: Iterable[int] | None = None, *, note: str = "") -> int:
        """Say that letters may stay as they are: see ``DeadLetters.acknowledge``."""
        return await in_thread(partial(self.blocking.acknowledge, which, note=note))

    async def replay(self, which: Iterable[int] | None = None, *, transform: Transform | None = None) -> Replay:
        """Try letters again: see ``DeadLetters.replay``."""
        return await in_thread(partial(self.blocking.replay, which, transform=transform))


async def averify(
    source: Given,
    target: Given,
    *,
    tables: Sequence[str] = (),
    transforms: Mapping[str, Transform] | None = None,
    level: str = "digest",
    sample: int = 1_000,
    seed: int = 0,
    extra: bool | None = None,
    definitions: Sequence[Table] = (),
    workdir: str | os.PathLike[str] | None = None,
    again: bool = False,
    engine: str | Engine | None = None,
    workers: int | None = None,
    options: RunOptions | None = None,
) -> Verification:
    """Compare two places while the event loop goes on: see ``verify``."""
    with folder_for(workdir) as folder:
        compared = partial(
            verify_places, source, target, tables=tables, transforms=transforms, level=level, sample=sample, seed=seed,
            extra=extra, definitions=definitions, workdir=folder, again=again, engine=engine, workers=workers,
            options=options,
        )  # fmt: skip
        return await in_thread(compared, folder)
