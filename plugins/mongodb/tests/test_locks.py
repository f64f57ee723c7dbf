"""Items that transactions of the core hold, on a server that runs alone: who meets them, and what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

import isthmus
from isthmus import BoundTable, Database, F, Index
from isthmus.errors import AlreadyExists, ConditionFailed, OutcomeUnknown, UnsupportedOperation
from isthmus.fallback.records import identity_of
from isthmus.fallback.store import LOST, Place, Swap
from isthmus_mongodb.native import Call, Command
from plugins.mongodb.tests.locking import Holder, State
from plugins.mongodb.tests.servers import driver, fresh_name, in_database

LATER = 5_000_000_000
ENDED: list[State] = ["committed", "aborted", "none"]
AFTER: dict[str, Any] = {
    "held": {"id": "held", "n": 77, "group": "g", "gone": LATER},
    "new": {"id": "new", "n": 78, "group": "g"},
    "going": None,
}


@pytest.fixture
def database(mongodb_standalone_url: str) -> Iterator[Database]:
    """A database whose transactions the core runs."""
    with isthmus.connect(in_database(mongodb_standalone_url)) as opened:
        yield opened


@pytest.fixture
def table(database: Database) -> Iterator[BoundTable]:
    """Three items, two of which transactions will hold."""
    made = database.table(
        fresh_name(), partition_key="id", ttl="gone", indexes=[Index("by_group", "group", ("n", int))]
    ).ensure()
    for name in ("held", "going", "free"):
        made.put({"id": name, "n": 10, "group": "g", "gone": LATER})
    yield made
    made.drop()


@pytest.fixture(params=ENDED)
def state(request: pytest.FixtureRequest, table: BoundTable) -> State:
    """One item is being changed, one created and one removed, by a client that died."""
    found: State = request.param
    assert Holder(table, found).hold(AFTER) == [True] * len(AFTER)
    return found


def raw(table: BoundTable, key: str) -> Any:
    """The document of an item."""
    return table.database.native().get_default_database()[table.name].find_one({"_id": {"id": key}})


def sums(items: Any) -> dict[str, int]:
    """The number of each item."""
    return {item["id"]: item["n"] for item in items if item is not None}


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
    replayed = []
    for prefix in ("one-", "two-"):
        with isthmus.connect(in_database(mongodb_standalone_url, f"prefix={prefix}")) as database:
            table = database.table("shared", partition_key="id").ensure()
            actions = [table.actions.put({"id": prefix}), table.actions.put({"id": "b"})]
            replayed.append(database.transact_write(actions, token=TOKEN).replayed)
            names = database.native().get_default_database().list_collection_names()
            table.drop()
            assert f"isthmus_transactions_{prefix}" in names
    assert replayed == [False, False]


TOKEN = fresh_name()


def test_a_bulk_that_tells_only_a_number_leaves_the_rest_open(table: BoundTable) -> None:
    """Where some locks of several are refused, the core has to look which."""
    table.delete(id="going")
    holder = Holder(table, "none")
    holder.hold({"held": None})
    again = Holder(table, "none").run
    store: Any = holder.fallback.store
    stored = again(store.admit(table.schema))
    held, free = (again(store.read_many([place(stored, name)]))[0] for name in ("held", "free"))
    stale = {**held, "__rev": b"another revision"}
    swaps = [swap(stored, stale, {"id": "held"}), swap(stored, free, {**free, "n": 11})]
    assert again(store.swap_many(swaps)) == [LOST, LOST]
    assert table.get(id="free")["n"] == 11


def place(table: Any, key: str) -> Any:
    """Where an item is."""
    return Place(table, {"id": key})


def swap(table: Any, old: Any, new: Any) -> Any:
    """One item for another."""
    return Swap(place(table, old["id"]), identity_of(old), {**new, "__rev": b"a revision of its own"})


# ---- what is refused ----


def test_a_unique_index_is_refused_before_any_write(table: BoundTable) -> None:
    """It could refuse what is committed; the message names it."""
    database = table.database
    database.native().get_default_database()[table.name].create_index("mail", unique=True, sparse=True)
    with pytest.raises(UnsupportedOperation, match=r"unique index, 'mail_1'.*drop it"):
        database.transact_write([table.actions.put({"id": "a"}), table.actions.put({"id": "b"})])
    assert raw(table, "a") is None


def test_a_validator_is_refused_before_any_write(table: BoundTable) -> None:
    """For the same reason."""
    database = table.database
    rules = {"$jsonSchema": {"required": ["n"]}}
    database.native().get_default_database().command({"collMod": table.name, "validator": rules})
    with pytest.raises(UnsupportedOperation, match=r"has a validator.*collMod"):
        database.transact_write([table.actions.put({"id": "a", "n": 1}), table.actions.put({"id": "b", "n": 1})])
    assert raw(table, "a") is None


def test_a_mapped_collection_is_refused(mongodb_standalone_url: str) -> None:
    """Its documents get no hidden fields; everything else works with it."""
    name, url = fresh_name(), in_database(mongodb_standalone_url)
    with driver(url) as client:
        client.get_default_database()[name].insert_one({"_id": "a", "n": 1})
        with isthmus.connect(url, mongodb={"mappings": {name: {"partition_key": "_id"}}}) as database:
            table = database.tables.open(name)
            with pytest.raises(UnsupportedOperation, match="mapped collection"):
                database.transact_write([table.actions.update(_id="a", set={"n": 2}), table.actions.put({"_id": "b"})])
            table.update(_id="a", add={"n": 1})
            assert [*table.scan()] == [{"_id": "a", "n": 2}]
        client.get_default_database().drop_collection(name)


# ---- answers that never arrive ----


WRITING = frozenset({"insert_one", "update_one", "replace_one", "delete_one", "insert", "update", "delete"})


class LosingOne:
    """A transport that loses one request that writes, or its answer."""

    def __init__(self, send: Callable[..., Any], number: int, *, arrives: bool) -> None:
        self.send = send
        self.number = number
        self.arrives = arrives
        self.writes: list[str] = []

    def __call__(self, request: Any, deadline: float | None, session: Any = None) -> Any:
        """Carry out a request, or lose it."""
        name = _name(request)
        lost = name in WRITING and len(self.writes) == self.number
        self.writes += [name] if name in WRITING else []
        answer = self.send(request, deadline, session) if self.arrives or not lost else None
        if lost:
            raise AutoReconnect("the connection was lost")
        return answer


def _name(request: Any) -> str:
    if isinstance(request, Call):
        return request.method
    return next(iter(request.command)) if isinstance(request, Command) else ""


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_at_any_write_never_leads_to_half_a_transfer(table: BoundTable, arrives: bool) -> None:
    """Applied once where success is reported, not at all where it is refused, and resolved where it is unknown."""
    backend: Any = table.database.backend
    send = backend.inner._blocking.send
    actions = [table.actions.update(id="held", add={"n": -1}), table.actions.update(id="free", add={"n": 1})]
    table.database.transact_write(actions)
    done, outcomes = 1, []
    for number in range(20):
        transport = LosingOne(send, number, arrives=arrives)
        backend.inner._blocking.send = transport
        try:
            table.database.transact_write(actions)
            outcome = "applied"
        except OutcomeUnknown as error:
            backend.inner._blocking.send = send
            outcome = table.database.resolve(error.operation_id)  # type: ignore[arg-type]  # it carries one
        finally:
            backend.inner._blocking.send = send
        done += outcome == "applied"
        outcomes.append(outcome)
        assert sums(table.get_many([{"id": "held"}, {"id": "free"}])) == {"held": 10 - done, "free": 10 + done}
        if len(transport.writes) <= number:
            break
    assert len(outcomes) > 5
    assert set(outcomes) <= {"applied", "not_applied"}
