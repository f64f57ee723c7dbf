"""Typed usage of the migration's API: checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

from isthmus import AsyncDatabase, Database, Table
from isthmus_migration import (
    AsyncMigration,
    Computed,
    Conflict,
    DeadLimit,
    Letter,
    Migration,
    Mismatch,
    PhaseOutcome,
    Preflight,
    Rates,
    Repair,
    Replay,
    RollbackResult,
    RunOptions,
    Status,
    Transform,
    TypeOf,
    Verification,
    averify,
    verify,
)


def steps(source: Database) -> None:
    """The whole life of a migration."""
    orders = Transform(
        rename={"ts": "created"}, types={"tags": TypeOf("set")}, compute={"kind": Computed(value="order")}
    )
    migration = Migration.plan(
        source,
        "env:TARGET",
        workdir=Path("work"),
        tables=["orders"],
        transforms={"orders": orders},
        into_existing="upsert",
    )
    assert_type(migration, Migration)
    assert_type(migration.preflight, Preflight | None)
    options = RunOptions(rates=Rates(write_units=500), max_dead=DeadLimit(share=0.001))
    assert_type(migration.run(engine="threads", workers=4, options=options), PhaseOutcome)
    assert_type(migration.verify("sample", sample=100), Verification)
    assert_type(migration.mismatches(), Iterator[Mismatch])
    assert_type(migration.repair(delete_extra=True), Repair)
    assert_type(migration.dead.list(), Iterator[Letter])
    assert_type(migration.dead.replay([1], transform=orders), Replay)
    assert_type(migration.status(), Status)
    assert_type(migration.rollback(), RollbackResult)
    assert_type(migration.conflicts(), Iterator[Conflict])
    assert_type(verify("export", source, definitions=[Table("orders", "id")]), Verification)


async def awaited(source: AsyncDatabase, target: Database) -> None:
    """The same, awaited, between databases of both kinds."""
    migration = await AsyncMigration.plan(source, target, workdir="work")
    assert_type(migration, AsyncMigration)
    assert_type(await AsyncMigration.open("work", source=source, target=target), AsyncMigration)
    assert_type(await migration.run(), PhaseOutcome)
    assert_type(await migration.verify(), Verification)
    assert_type(migration.mismatches(), AsyncIterator[Mismatch])
    assert_type(await migration.repair(), Repair)
    assert_type(await migration.dead.acknowledge(note="known"), int)
    assert_type(await migration.rollback(force=True), RollbackResult)
    assert_type(await averify(source, target), Verification)
    assert_type(source.blocking(), Database)
