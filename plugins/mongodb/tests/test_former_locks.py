"""A server that ran alone belongs to a replica set by now: it has transactions, over items that others may hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import isthmus
from isthmus import BoundTable, Capability, Database, F, Full
from isthmus.errors import Conflict, IdempotencyMismatch
from isthmus_mongodb.catalogue import RECORDS
from plugins.mongodb.tests.locking import Holder
from plugins.mongodb.tests.servers import driver, fresh_name, in_database

_DATABASE = f"isthmus-former-{os.getpid()}"


@pytest.fixture
def url(mongodb_url: str) -> Iterator[str]:
    """A database of a replica set in which transactions of the core have left their records."""
    found = in_database(mongodb_url, database=_DATABASE)
    with driver(found) as client:
        client.get_default_database().create_collection(RECORDS)
        yield found
        client.drop_database(_DATABASE)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The database, opened after the server's change."""
    with isthmus.connect(url, fallback={"lease_ms": 100}) as opened:
        yield opened


@pytest.fixture
def table(database: Database) -> BoundTable:
    """Two items."""
    made = database.table(fresh_name(), partition_key="id").ensure()
    made.put_many([{"id": name, "n": 10} for name in ("held", "free")]).raise_for_failures()
    return made


def test_transactions_are_the_servers_own(database: Database, table: BoundTable) -> None:
    """Nothing is emulated any more, and no record is written."""
    assert database.capabilities[Capability.TRANSACT_WRITE] == Full()
    database.transact_write([table.actions.put({"id": "a"}), table.actions.put({"id": "b"})])
    assert database.native()[_DATABASE][RECORDS].count_documents({}) == 0


def test_a_committed_transaction_is_finished_first(database: Database, table: BoundTable) -> None:
    """Whoever comes next, in a transaction or not, goes on from what was committed."""
    Holder(table, "committed").hold({"held": {"id": "held", "n": 77}, "new": {"id": "new", "n": 78}})
    assert [item["n"] for item in table.scan().where(F.n > 70)] == [77, 78]
    database.transact_write(
        [table.actions.update(id="held", add={"n": 1}), table.actions.update(id="free", add={"n": 1})]
    )
    assert database.transact_get([table.actions.get(id=name) for name in ("held", "new", "free")]) == [
        {"id": "held", "n": 78}, {"id": "new", "n": 78}, {"id": "free", "n": 11},
    ]  # fmt: skip


def test_a_pending_transaction_is_undone_first(database: Database, table: BoundTable) -> None:
    """Also by a transaction that creates what the other one was about to create."""
    Holder(table, "pending").hold({"held": None, "new": {"id": "new"}})
    database.transact_write(
        [table.actions.create({"id": "new", "n": 1}), table.actions.update(id="held", add={"n": 1})]
    )
    assert [item["n"] for item in table.get_many([{"id": "new"}, {"id": "held"}]) if item is not None] == [1, 11]
    assert database.recover().failed == 0


def test_a_unit_of_work_sees_and_validates_what_counts(database: Database, table: BoundTable) -> None:
    """Its revisions are the backend's own, of items that nobody holds."""
    Holder(table, "committed").hold({"held": {"id": "held", "n": 77}})
    with database.transaction() as work:
        seen: Any = work.table(table).get(id="held")["n"]
        work.table(table).update(id="held", set={"n": seen + 1})
    assert table.get(id="held")["n"] == 78
    work = database.transaction()
    with pytest.raises(Conflict), work:  # noqa: PT012  # what is read comes before what another writes
        work.table(table).get(id="held")
        table.update(id="held", set={"n": 1})
        work.table(table).update(id="held", set={"n": 2})


def test_a_late_client_of_before_can_not_pass(database: Database, table: BoundTable) -> None:
    """Each write, in a transaction too, leaves a revision, so a lock for what was judged before it is refused."""

    def revision() -> Any:
        return database.native()[_DATABASE][table.name].find_one({"_id": {"id": "held"}})["__rev"]

    first = revision()
    database.transact_write([table.actions.update(id="held", add={"n": 1}), table.actions.put({"id": "new"})])
    second = revision()
    table.update(id="held", add={"n": 1})
    assert len({first, second, revision()}) == 3


def test_tokens_of_before_are_known(mongodb_standalone_url: str, url: str) -> None:
    """A transaction that was applied before the change is not applied again after it."""
    name, token = fresh_name(), fresh_name()
    with driver(mongodb_standalone_url) as alone, driver(url) as member:
        with isthmus.connect(in_database(mongodb_standalone_url, database=_DATABASE)) as database:
            table = database.table(name, partition_key="id").ensure()
            database.transact_write([table.actions.put({"id": "a"}), table.actions.put({"id": "b"})], token=token)
        for collection in ("isthmus_tables", RECORDS, name):
            member[_DATABASE][collection].insert_many(alone[_DATABASE][collection].find())
        alone.drop_database(_DATABASE)
    with isthmus.connect(url) as database:
        table = database.table(name, partition_key="id")
        table.delete(id="b")
        actions = [table.actions.put({"id": "a"}), table.actions.put({"id": "b"})]
        assert database.transact_write(actions, token=token).replayed
        assert table.find(id="b") is None
        with pytest.raises(IdempotencyMismatch):
            database.transact_write(actions[:1], token=token)
