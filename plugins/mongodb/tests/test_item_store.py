"""Reads and swaps of items for transactions of the core: what is refused, what gets lost, what is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

import isthmus
from isthmus import BoundTable
from isthmus.errors import OutcomeUnknown, UnsupportedOperation
from isthmus.fallback.records import identity_of
from isthmus.fallback.store import LOST, Place, Swap
from isthmus_mongodb.native import Call, Command
from plugins.mongodb.tests.locking import Holder, raw, sums
from plugins.mongodb.tests.servers import driver, fresh_name, in_database


@pytest.fixture
def table(table_alone: BoundTable) -> BoundTable:
    """Three items, which transactions of the core may hold."""
    return table_alone


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


# ---- cost ----


COSTS: dict[str, tuple[Callable[[BoundTable], Any], list[str]]] = {
    "get": (lambda table: table.get(id="free"), ["find_one"]),
    "put": (lambda table: table.put({"id": "free"}), ["replace_one"]),
    "create": (lambda table: table.create({"id": "more"}), ["insert_one"]),
    "update": (lambda table: table.update(id="free", add={"n": 1}), ["update_one"]),
    "delete": (lambda table: table.delete(id="free"), ["delete_one"]),
    "delete of nothing": (lambda table: table.delete(id="more"), ["delete_one", "find_one"]),
    "count": (lambda table: table.scan().count(), ["aggregate"]),
    "transaction": (
        lambda table: table.database.transact_write(
            [table.actions.update(id=name, add={"n": 1}) for name in ("held", "free", "going")]
        ),
        ["find", "insert_one", "update", "replace_one", "update", "delete_one"],
    ),
    "transaction that creates and deletes": (
        lambda table: table.database.transact_write(
            [table.actions.create({"id": "more"}), table.actions.delete(id="free")]
        ),
        ["find", "insert_one", "update", "insert", "replace_one", "delete", "update", "delete_one"],
    ),
    "transactional read": (
        lambda table: table.database.transact_get([table.actions.get(id=name) for name in ("held", "free")]),
        ["find", "find"],
    ),
}


@pytest.mark.parametrize("call", COSTS)
def test_what_each_call_sends(table: BoundTable, call: str) -> None:
    """Single items cost what they do in a replica set; a transaction six requests, eight if it creates and deletes."""
    table.database.transact_write([table.actions.update(id=name, add={"n": 1}) for name in ("held", "going")])
    run, requests = COSTS[call]
    backend: Any = table.database.backend
    send, sent = backend.inner._blocking.send, []

    def counting(request: Any, *others: Any) -> Any:
        sent.append(_name(request))
        return send(request, *others)

    backend.inner._blocking.send = counting
    run(table)
    backend.inner._blocking.send = send
    assert [name for name in sent if name != "list_indexes"] == requests
