"""Items that transactions of the core hold, on a server that runs alone: who meets them, and what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import isthmus
from isthmus import BoundTable, F
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidPath
from isthmus_mongodb.layouts import EXPIRY, INDEX_PREFIX, LOCK, OPERATION, REVISION, TRANSACTION
from plugins.mongodb.tests.locking import LATER, Holder, State, raw, sums
from plugins.mongodb.tests.servers import fresh_name, in_database

ENDED: list[State] = ["committed", "aborted", "none"]
AFTER: dict[str, Any] = {
    "held": {"id": "held", "n": 77, "group": "g", "gone": LATER},
    "new": {"id": "new", "n": 78, "group": "g"},
    "going": None,
}


@pytest.fixture
def table(table_alone: BoundTable) -> BoundTable:
    """Three items, which transactions of the core may hold."""
    return table_alone


@pytest.fixture(params=ENDED)
def state(request: pytest.FixtureRequest, table: BoundTable) -> State:
    """One item is being changed, one created and one removed, by a client that died."""
    found: State = request.param
    assert Holder(table, found).hold(AFTER) == [True] * len(AFTER)
    return found


def expected(state: State) -> dict[str, int]:
    """What everybody sees."""
    return {"held": 77, "new": 78, "free": 10} if state == "committed" else {"held": 10, "going": 10, "free": 10}


# ---- reading ----


READS: dict[str, Callable[[BoundTable], Any]] = {
    "get": lambda table: [table.find(id=name) for name in ("held", "new", "going", "free")],
    "selected": lambda table: [table.find(id=name, select=["id", "n"]) for name in ("held", "new", "going", "free")],
    "many": lambda table: table.get_many([{"id": name} for name in ("held", "new", "going", "free")]),
    "many selected": lambda table: table.get_many(
        [{"id": name} for name in ("held", "new", "going", "free")], select=["id", "n"]
    ),
    "scan": lambda table: table.scan(),
    "scan selected": lambda table: table.scan().select("id", "n"),
    "segments": lambda table: table.scan(segments=3),
    "filtered": lambda table: table.scan().where(F.n > 5),
    "transaction": lambda table: table.database.transact_get(
        [table.actions.get(id=name) for name in ("held", "new", "going", "free")]
    ),
}


@pytest.mark.parametrize("name", [OPERATION, EXPIRY, LOCK, REVISION, TRANSACTION, f"{INDEX_PREFIX}by-day"])
def test_what_the_backend_hides_has_no_path(name: str) -> None:
    """Neither conditions nor copies can reach it (rule PTH-7)."""
    with pytest.raises(InvalidPath):
        F[name].exists()


@pytest.mark.parametrize("read", READS)
def test_every_read_sees_the_image_that_counts(table: BoundTable, state: State, read: str) -> None:
    """The record alone says which; placeholders and hidden attributes are never seen."""
    found = [item for item in READS[read](table) if item is not None]
    assert sums(found) == expected(state)
    assert not any(name.startswith("__") for item in found for name in item)


def test_a_filter_judges_the_image_that_counts(table: BoundTable, state: State) -> None:
    """What is true of the other image alone lets nothing pass, and hides nothing."""
    assert sums(table.scan().where(F.n == 77)) == {key: n for key, n in expected(state).items() if n == 77}
    assert sums(table.scan().where(F.n == 10)) == {key: n for key, n in expected(state).items() if n == 10}


def test_counts_are_of_the_images_that_count(table: BoundTable, state: State) -> None:
    """With and without a condition."""
    assert table.scan().count() == len(expected(state))
    assert table.scan().where(F.n == 10).count() == list(expected(state).values()).count(10)


def test_an_index_never_shows_a_pending_image(table: BoundTable, state: State) -> None:
    """It may lag behind for a key that moves, but items are at most once in it, and no image is one that never was."""
    found = sums(table.query(group="g", index="by_group"))
    assert found.items() <= expected(state).items()
    assert found.keys() >= {"free"}


def test_pages_go_on_past_held_items(table: BoundTable, state: State) -> None:
    """Their places count, and no item is lost or repeated."""
    found: list[Any] = []
    page = table.scan().page(size=1)
    found += [item["id"] for item in page.items]
    while page.cursor is not None:
        page = table.scan().page(size=1, cursor=page.cursor)
        found += [item["id"] for item in page.items]
    assert sorted(found) == sorted(expected(state))


# ---- writing ----


def test_writes_go_on_from_the_image_that_counts(table: BoundTable, state: State) -> None:
    """Whoever meets a lock that holds nobody settles it, and judges what is there then."""
    changed: Any = table.update(id="held", add={"n": 1}, returning="new")
    assert changed["n"] == expected(state)["held"] + 1
    assert table.delete(id="going") == ("going" in expected(state))
    if state == "committed":
        with pytest.raises(AlreadyExists):
            table.create({"id": "new"})
    else:
        table.create({"id": "new"})
    assert raw(table, "held").keys().isdisjoint({"__tx"})


def test_conditions_are_judged_by_the_image_that_counts(table: BoundTable, state: State) -> None:
    """In the quick forms of writes too."""
    right, wrong = (77, 10) if state == "committed" else (10, 77)
    with pytest.raises(ConditionFailed) as caught:
        table.put({"id": "held", "n": 1}, when=F.n == wrong)
    assert caught.value.current["n"] == right  # type: ignore[index]  # there is one
    table.put({"id": "held", "n": 1}, when=F.n == right)
    assert table.get(id="held") == {"id": "held", "n": 1}


@pytest.mark.usefixtures("state")
def test_batches_wait_for_locks(table: BoundTable) -> None:
    """All members are written, also those that were held."""
    table.put_many([{"id": name, "n": 5} for name in ("held", "new", "free")]).raise_for_failures()
    assert sums(table.get_many([{"id": name} for name in ("held", "new", "free")])) == {"held": 5, "new": 5, "free": 5}
    table.delete_many([{"id": name} for name in ("held", "new", "going", "free")]).raise_for_failures()
    assert [*table.scan()] == []
    assert raw(table, "going") is None


def test_a_batch_deletes_what_was_locked_only_for_a_moment(table: BoundTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that was left out because of its lock counts, also when the lock is gone before somebody looks."""
    Holder(table, "none").hold({"held": None})
    inner: Any = table.database.backend.inner  # type: ignore[attr-defined]  # the core is around it
    send = inner.send
    settled: list[int] = []

    def sending(request: Any, operation: Any) -> Any:
        answer = send(request, operation)
        if not settled and getattr(request, "method", None) == "delete_many":
            settled.append(1)
            table.update(id="held", add={"n": 1})
        return answer

    monkeypatch.setattr(inner, "send", sending)
    assert table.delete_many([{"id": "held"}, {"id": "free"}]).written == 2
    assert settled
    assert raw(table, "held") is None


def test_a_pending_transaction_is_stopped_through_its_record(table: BoundTable) -> None:
    """A writer waits for the lease only, and the transaction is undone as a whole."""
    Holder(table, "pending").hold(AFTER)
    assert table.get(id="held")["n"] == 10
    table.update(id="held", add={"n": 1})
    assert sums(table.scan()) == {"held": 11, "going": 10, "free": 10}
    documents = table.database.native().get_default_database()[table.name].find({"__tx": {"$exists": True}})
    assert documents.to_list() == []


WRITES: dict[str, Callable[[BoundTable], Any]] = {
    "put": lambda table: table.put({"id": "free", "n": 10, "group": "g", "gone": LATER}),
    "conditional put": lambda table: table.put({"id": "free", "n": 10}, when=F.n == 10),
    "put if absent": lambda table: table.put({"id": "free", "n": 10}, when=F.missing.not_exists()),
    "set": lambda table: table.update(id="free", set={"n": 10}),
    "pipeline": lambda table: table.update(id="free", set={"n": 10}, upsert=True),
    "appended": lambda table: table.update(id="free", append={"list": [1]}, create_lists=True),
    "old": lambda table: table.put({"id": "free", "n": 10}, returning="old"),
    "batch": lambda table: table.put_many([{"id": "free", "n": 10}]),
    "transaction": lambda table: table.database.transact_write(
        [table.actions.put({"id": "free", "n": 10}), table.actions.put({"id": "other"})]
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_every_write_leaves_a_revision_of_its_own(table: BoundTable, write: str) -> None:
    """Also where it changes nothing: by it a transaction knows that the item is as it was judged."""
    before = raw(table, "free")["__rev"]
    WRITES[write](table)
    first = raw(table, "free")["__rev"]
    WRITES[write](table)
    assert len({before, first, raw(table, "free")["__rev"]}) == 3


# ---- what is stored ----


def test_a_lock_leaves_everything_else_as_it_is(table: BoundTable) -> None:
    """The document after the release is that before the lock, hidden fields and all."""
    table.update(id="held", add={"n": 1})
    before = raw(table, "held")
    Holder(table, "none").hold({"held": None})
    assert raw(table, "held") != before
    table.database.transact_write([table.actions.check(id="held", when=F.n == 11), table.actions.put({"id": "other"})])
    assert raw(table, "held") == before


def test_a_held_item_does_not_expire(table: BoundTable) -> None:
    """The server's date goes with the lock, and comes back with the release."""
    date = raw(table, "held")["__exp"]
    Holder(table, "none").hold({"held": None})
    assert "__exp" not in raw(table, "held")
    assert table.get(id="held")["gone"] == LATER
    table.update(id="held", set={"n": 1})
    assert raw(table, "held")["__exp"] == date


def test_an_applied_item_has_the_expiry_of_its_own(table: BoundTable) -> None:
    """What the transaction wrote decides."""
    Holder(table, "committed").hold({"held": {"id": "held"}, "free": {"id": "free", "gone": LATER + 1}})
    table.get_many([{"id": "held"}, {"id": "free"}])
    table.update(id="held", set={"x": 1})
    table.update(id="free", set={"x": 1})
    assert "__exp" not in raw(table, "held")
    assert raw(table, "free")["__exp"].timestamp() == pytest.approx(LATER + 1, abs=86_400)


def test_records_expire_by_an_index_of_the_server(table: BoundTable) -> None:
    """Those that are to go have a date, and there is an index over it."""
    token = fresh_name()
    table.database.transact_write([table.actions.put({"id": "a"}), table.actions.put({"id": "b"})], token=token)
    records = table.database.native().get_default_database()["isthmus_transactions"]
    assert records.index_information()["isthmus.expiry"]["expireAfterSeconds"] == 0
    found = records.find_one({"_id": {"id": f"t:{token}"}})
    assert (found["state"], "__exp" in found) == ("done", True)


def test_each_prefix_has_records_of_its_own(mongodb_standalone_url: str) -> None:
    """Databases with different prefixes don't see each other's transactions, or tokens."""
    replayed, name, token = [], fresh_name(), fresh_name()
    for prefix in ("one-", "two-"):
        with isthmus.connect(in_database(mongodb_standalone_url, f"prefix={prefix}")) as database:
            table = database.table(name, partition_key="id").ensure()
            actions = [table.actions.put({"id": prefix}), table.actions.put({"id": "b"})]
            replayed.append(database.transact_write(actions, token=token).replayed)
            names = database.native().get_default_database().list_collection_names()
            table.drop()
            assert f"isthmus_transactions_{prefix}" in names
    assert replayed == [False, False]
