"""Transactions on a real server: no write skew, tokens, and commits whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pymongo import MongoClient

import isthmus
from isthmus import BoundTable, F
from isthmus.errors import (
    Conflict,
    DeadlineExceeded,
    IdempotencyMismatch,
    OutcomeUnknown,
    TransactionFailed,
    UniqueViolation,
)
from isthmus.operations import Action, Context, TransactWrite
from isthmus.retries import RetryPolicy
from plugins.mongodb.tests.servers import driver, failing, fresh_name, in_database

ROUNDS = 8
LOST = {"failCommands": ["commitTransaction"], "closeConnection": True}


@pytest.fixture
def application() -> str:
    """The name by which the server knows this test's database."""
    return fresh_name()


@pytest.fixture
def admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that the fail points don't hit."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def table(mongodb_url: str, application: str) -> Iterator[BoundTable]:
    """An empty table."""
    with isthmus.connect(in_database(mongodb_url, f"appName={application}")) as database:
        table = database.table(fresh_name(), partition_key="id").ensure()
        yield table
        table.drop()


def raced(table: BoundTable, transactions: list[list[Action]]) -> list[bool]:
    """Which of several transactions, begun at once, were applied; the others failed by their conditions."""
    start = Barrier(len(transactions))

    def run(actions: list[Action]) -> bool:
        start.wait()
        while True:
            try:
                table.database.transact_write(actions)
            except Conflict:
                continue
            except TransactionFailed:
                return False
            return True

    with ThreadPoolExecutor(len(transactions)) as pool:
        return list(pool.map(run, transactions))


@pytest.mark.parametrize("present", [False, True], ids=["absent", "present"])
def test_two_transactions_that_check_each_others_item_exclude_each_other(table: BoundTable, present: bool) -> None:
    """Exactly one of two is applied, whether the items are there or not (rule TXN-5)."""
    do = table.actions
    for number in range(ROUNDS):
        left, right = f"{number}-left", f"{number}-right"
        if present:
            table.put_many([{"id": left, "on": False}, {"id": right, "on": False}]).raise_for_failures()
        free = F.on.not_exists() | (F.on == False)  # noqa: E712  # an expression
        applied = raced(
            table,
            [
                [do.check(id=left, when=free), do.put({"id": right, "on": True})],
                [do.check(id=right, when=free), do.put({"id": left, "on": True})],
            ],
        )
        assert sorted(applied) == [False, True]


def test_a_delete_of_nothing_excludes_a_create(table: BoundTable) -> None:
    """Either order of the two is one that could have happened one after the other."""
    do = table.actions
    for number in range(ROUNDS):
        gone, note = f"{number}-gone", f"{number}-note"
        raced(
            table,
            [
                [do.delete(id=gone), do.put({"id": note, "by": "deleter"})],
                [do.check(id=note, when=F.id.not_exists()), do.put({"id": gone})],
            ],
        )
        found = (table.find(id=gone) is not None, table.find(id=note) is not None)
        assert found in {(True, False), (False, True), (True, True)}
        assert found != (True, True) or table.get(id=note) == {"id": note, "by": "deleter"}


def test_checks_leave_no_trace(table: BoundTable, admin: MongoClient[dict[str, Any]]) -> None:
    """A check of an absent item leaves no document, one of a present item no attribute."""
    table.put({"id": "a", "n": 1})
    do = table.actions
    table.database.transact_write([do.check(id="a", when=F.n == 1), do.check(id="b", when=F.n.not_exists())])
    collection = admin["isthmus-tests"][table.name]
    assert [document["_id"] for document in collection.find()] == [{"id": "a"}]
    assert table.get(id="a") == {"id": "a", "n": 1}


def test_racing_replays_apply_once(table: BoundTable) -> None:
    """Four senders of one token: one applies, the others learn that it was (rule TXN-8)."""
    table.put({"id": "a", "n": 0})
    for number in range(ROUNDS):
        start = Barrier(4)

        def send(token: str = f"{table.name}-{number}"[-36:], start: Barrier = start) -> bool:
            start.wait()
            return table.database.transact_write([table.actions.update(id="a", add={"n": 1})], token=token).replayed

        with ThreadPoolExecutor(4) as pool:
            answers = [future.result() for future in [pool.submit(send) for _ in range(4)]]
        assert sorted(answers) == [False, True, True, True]
        assert table.get(id="a")["n"] == number + 1


def test_a_token_belongs_to_its_prefix(table: BoundTable, mongodb_url: str) -> None:
    """Two applications in one database don't know each other's tokens."""
    token = fresh_name()
    table.database.transact_write([table.actions.put({"id": "a"})], token=token)
    with pytest.raises(IdempotencyMismatch):
        table.database.transact_write([table.actions.put({"id": "b"})], token=token)
    with isthmus.connect(in_database(mongodb_url, "prefix=other-")) as database:
        other = database.table(table.schema).ensure()
        result = database.transact_write([other.actions.put({"id": "b"})], token=token)
        other.drop()
    assert result.replayed is False


def test_a_commit_whose_answer_is_lost_is_sent_again(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The caller sees nothing of it, and the transaction is applied once."""
    table.put({"id": "a", "n": 0})
    with failing(admin, application, LOST, {"times": 3}):
        table.database.transact_write([table.actions.update(id="a", add={"n": 1})])
    assert table.get(id="a")["n"] == 1


def _end_transactions(admin: MongoClient[dict[str, Any]], application: str) -> None:
    """The server would hold the locks of a transaction that nobody ends for a minute, and the table with them."""
    idle = admin.admin.aggregate([{"$currentOp": {"idleSessions": True}}, {"$match": {"appName": application}}])
    admin.admin.command("killSessions", [{"id": entry["lsid"]["id"]} for entry in idle if "lsid" in entry])


def test_a_commit_that_never_answers_is_an_unknown_outcome(
    mongodb_url: str, table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """OutcomeUnknown, never a plain failure."""
    once = RetryPolicy(attempts=1)
    with isthmus.connect(in_database(mongodb_url, f"appName={application}"), retry_policy=once) as database:
        same = database.table(table.schema)
        same.find(id="a")
        silent = {**LOST, "failCommands": ["commitTransaction", "abortTransaction"]}
        with failing(admin, application, silent), pytest.raises(OutcomeUnknown):
            database.transact_write([same.actions.put({"id": "a"})])
    _end_transactions(admin, application)


def test_a_repeated_transaction_that_was_applied_is_not_applied_again(table: BoundTable) -> None:
    """Its id in the items tells (rule CND-7)."""
    table.put({"id": "a", "n": 0})
    actions = (table.actions.update(id="a", add={"n": 1}),)
    mine = "1a203d52889d6a60f2543fda"
    for repeated in (False, True):
        context = Context(operation_id=mine, repeated=repeated)
        table.database.backend.execute(TransactWrite(context, actions))
    assert table.get(id="a")["n"] == 1


def test_a_repeated_transaction_that_was_not_applied_is(table: BoundTable) -> None:
    """An older id shows that the first attempt left nothing."""
    older = Context(operation_id="1a003d52889d6a60f2543fda")
    table.database.backend.execute(TransactWrite(older, (table.actions.put({"id": "a", "n": 0}),)))
    context = Context(operation_id="1a203d52889d6a60f2543fda", repeated=True)
    table.database.backend.execute(TransactWrite(context, (table.actions.update(id="a", add={"n": 1}),)))
    assert table.get(id="a")["n"] == 1


def test_a_repeated_transaction_that_a_plain_put_may_have_covered_is_unknown(table: BoundTable) -> None:
    """An item without an id shows nothing."""
    table.put({"id": "a", "n": 0})
    context = Context(operation_id="1a203d52889d6a60f2543fda", repeated=True)
    with pytest.raises(OutcomeUnknown):
        table.database.backend.execute(TransactWrite(context, (table.actions.update(id="a", add={"n": 1}),)))
    assert table.get(id="a")["n"] == 0


def test_a_repeated_transaction_of_which_nothing_is_left_is_unknown(table: BoundTable) -> None:
    """Its items may have been written and removed since."""
    context = Context(operation_id="1a203d52889d6a60f2543fda", repeated=True)
    with pytest.raises(OutcomeUnknown):
        table.database.backend.execute(TransactWrite(context, (table.actions.create({"id": "a"}),)))


def test_a_failure_before_the_commit_applies_nothing(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """A lost connection while the transaction writes is a Conflict that was repeated."""
    with failing(admin, application, {"failCommands": ["insert"], "closeConnection": True}, {"times": 1}):
        table.database.transact_write([table.actions.create({"id": "a"}), table.actions.create({"id": "b"})])
    assert table.scan().count() == 2


def test_a_commit_that_is_given_up_leaves_no_lock(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The transaction is aborted, the caller knows, and the next writer need not wait for the server to forget it."""
    table.put({"id": "a", "n": 0})
    late = {"failCommands": ["commitTransaction"], "blockConnection": True, "blockTimeMS": 1_500, "errorCode": 189}
    with failing(admin, application, late, {"times": 2}), pytest.raises(DeadlineExceeded) as raised:
        table.database.transact_write([table.actions.update(id="a", add={"n": 1})], timeout=0.4)
    assert raised.value.maybe_applied is False
    table.update(id="a", add={"n": 10}, timeout=20)
    assert table.get(id="a")["n"] == 10


def test_a_commit_that_was_applied_without_an_answer_is_known_as_applied(
    mongodb_url: str, table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The server tells it when the transaction is to be aborted."""
    table.put({"id": "a", "n": 0})
    once = RetryPolicy(attempts=1)
    unsure = {"failCommands": ["commitTransaction"], "writeConcernError": {"code": 64, "errmsg": "waiting timed out"}}
    with isthmus.connect(in_database(mongodb_url, f"appName={application}"), retry_policy=once) as database:
        same = database.table(table.schema)
        same.find(id="a")
        with failing(admin, application, unsure, {"times": 3}):
            database.transact_write([same.actions.update(id="a", add={"n": 1})])
    assert table.get(id="a")["n"] == 1


def test_a_transaction_that_comes_twice_is_applied_once(table: BoundTable) -> None:
    """Whether or not the second one says that it is a repetition, because the first may have been late."""
    table.put({"id": "a", "n": 0})
    transaction = TransactWrite(
        Context(operation_id="1a203d52889d6a60f2543fda"), (table.actions.update(id="a", add={"n": 1}),)
    )
    for _ in range(2):
        table.database.backend.execute(transaction)
    assert table.get(id="a")["n"] == 1


def test_a_unique_index_is_the_reason_of_its_action(table: BoundTable, admin: MongoClient[dict[str, Any]]) -> None:
    """TransactionFailed with UniqueViolation, which a retry would not help."""
    admin["isthmus-tests"][table.name].create_index("mail", unique=True, sparse=True)
    table.put({"id": "a", "mail": "x"})
    do = table.actions
    actions: list[Action] = [
        do.check(id="c", when=F.id.not_exists()),
        do.put({"id": "b", "mail": "x"}),
        do.put({"id": "d"}),
    ]
    with pytest.raises(TransactionFailed) as raised:
        table.database.transact_write(actions)
    assert [type(reason) for reason in raised.value.reasons] == [type(None), UniqueViolation, type(None)]
    assert raised.value.retryable is False
    assert table.scan().count() == 1
