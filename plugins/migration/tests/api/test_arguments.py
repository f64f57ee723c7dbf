"""Arguments of another kind are refused in words, and numbers of nothing are no success."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.errors import InvalidArgument, IsthmusError, ItemNotFound, TableNotFound
from isthmus_migration import DeadLimit, Migration, Rates


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    """A migration of one item between SQLite files, planned."""
    source = f"sqlite:///{tmp_path}/source.db"
    with isthmus.connect(source) as database:
        database.table("things", partition_key="id").ensure().put({"id": "a"})
    return Migration.plan(source, f"sqlite:///{tmp_path}/target.db", workdir=tmp_path / "work")


def _planned_again(migration: Migration, **options: Any) -> Migration:
    plan = migration.the_plan
    return Migration.plan(plan.source.reference.text, plan.target.reference.text, workdir="work2", **options)


WRONG: dict[str, tuple[Callable[[Any], object], type[IsthmusError], str]] = {
    "engine": (lambda migration: migration.run(engine=5), InvalidArgument, "no engine 5"),
    "workers": (lambda migration: migration.run(engine="inline", workers="2"), InvalidArgument, "not '2'"),
    "options": (lambda migration: migration.run(engine="inline", options={}), InvalidArgument, "RunOptions"),
    "rates": (lambda _migration: Rates(items="5"), InvalidArgument, "rate of items is '5'"),  # type: ignore[arg-type]
    "limit": (lambda _migration: DeadLimit(count=-1), InvalidArgument, "count is -1"),
    "share": (lambda _migration: DeadLimit(share=5), InvalidArgument, "share is 5"),
    "status": (lambda migration: list(migration.dead.list(status="opened")), InvalidArgument, "no status 'opened'"),
    "letter": (lambda migration: migration.dead.acknowledge([7]), ItemNotFound, "no dead letter 7"),
    "letters": (lambda migration: migration.dead.acknowledge("12"), InvalidArgument, "not by '1'"),
    "table": (lambda migration: migration.the_plan.table("thigns"), TableNotFound, "'thigns' is not moved: things"),
    "tables": (lambda migration: _planned_again(migration, tables="things"), InvalidArgument, "list of names"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_argument_of_another_kind(migration: Migration, what: str) -> None:
    """The error is one of ours and names what was wrong; nothing is done."""
    call, kind, words = WRONG[what]
    with pytest.raises(kind, match=words):
        call(migration)
    assert migration.status().state == "planned"


def test_a_letter_of_no_number_is_not_replayed(migration: Migration) -> None:
    """Trying nothing would look like success."""
    assert migration.run(engine="inline").finished
    with pytest.raises(ItemNotFound, match="no dead letter 7"):
        migration.dead.replay([7])
    with pytest.raises(TableNotFound, match="things were"):
        migration.verify(engine="inline").table("thigns")
