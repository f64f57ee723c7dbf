"""What failures of servers and of the network become, on a real server that is told to fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pymongo.errors
import pytest
from pymongo import MongoClient

import isthmus
from isthmus import BoundTable
from isthmus.errors import (
    AlreadyExists,
    BackendError,
    Closed,
    Conflict,
    DeadlineExceeded,
    InvalidValue,
    IsthmusError,
    ItemTooLarge,
    OutcomeUnknown,
    PermissionDenied,
    Throttled,
    Unauthenticated,
    Unavailable,
    UniqueViolation,
)
from isthmus.retries import RetryPolicy
from isthmus_mongodb.failures import by_code, note_request, translate
from isthmus_mongodb.native import Call
from plugins.mongodb.tests.servers import blocked, driver, failing, fresh_name, in_database
from tests.patience import judged_only_if, with_enough_time

ONCE = RetryPolicy(attempts=1)


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
    """A table with one item, in a database that never repeats a call."""
    with isthmus.connect(in_database(mongodb_url, f"appName={application}"), retry_policy=ONCE) as database:
        table = database.table(fresh_name(), partition_key="id").ensure()
        table.put({"id": "a", "n": 1})
        yield table
        table.drop()


def assert_eventually(holds: Callable[[], bool]) -> None:
    """Wait for something, for a minute at most."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


WRITES: dict[str, Callable[[BoundTable], Any]] = {
    "put": lambda table: table.put({"id": "a", "n": 2}),
    "create": lambda table: table.create({"id": "b"}),
    "update": lambda table: table.update(id="a", add={"n": 1}),
    "delete": lambda table: table.delete(id="a"),
    "put_many": lambda table: table.put_many([{"id": "a"}, {"id": "b"}]),
    "delete_many": lambda table: table.delete_many([{"id": "a"}, {"id": "b"}]),
}
COMMANDS = ["insert", "update", "delete", "findAndModify", "find", "aggregate"]


@pytest.fixture
def losing(
    request: pytest.FixtureRequest, mongodb_url: str, admin: MongoClient[dict[str, Any]], table: BoundTable
) -> Iterator[BoundTable]:
    """The table, in a database that repeats calls, and whose next read is cut off: of the catalogue, or of the item."""
    application = fresh_name()
    with isthmus.connect(in_database(mongodb_url, f"appName={application}")) as database:
        if request.param == "item":
            # The server reads by itself before the first numbered write of a session.
            database.table(table.schema).put({"id": "a", "n": 1})
        data = {"failCommands": ["find"], "closeConnection": True}
        with failing(admin, application, data, {"times": 1}):
            yield database.table(table.schema)


@pytest.mark.parametrize("losing", ["catalogue"], indirect=True)
def test_a_read_that_is_lost_before_a_write_leaves_no_doubt(losing: BoundTable) -> None:
    """The write was not sent, so it is repeated as a first attempt, whoever wrote the item last."""
    assert losing.update(id="a", add={"n": 1}, returning="new") == {"id": "a", "n": 2}


@pytest.mark.parametrize("losing", ["item"], indirect=True)
def test_a_read_that_is_lost_after_a_refusal_leaves_no_doubt(losing: BoundTable) -> None:
    """What was refused had no effect, and reading why had none either."""
    with pytest.raises(AlreadyExists):
        losing.create({"id": "a"})


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
@pytest.mark.parametrize(
    ("code", "error"),
    [(13, PermissionDenied), (18, Unauthenticated), (50, DeadlineExceeded), (112, Conflict), (262, Throttled)],
)
def test_codes_of_the_server(
    table: BoundTable,
    admin: MongoClient[dict[str, Any]],
    application: str,
    write: Callable[[BoundTable], Any],
    code: int,
    error: type[IsthmusError],
) -> None:
    """Each code is its error on every write."""
    with (
        failing(admin, application, {"failCommands": COMMANDS, "errorCode": code}),
        pytest.raises(error) as raised,
    ):
        write(table)
    assert raised.value.backend == "mongodb"


def test_a_read_may_always_be_repeated(table: BoundTable, admin: MongoClient[dict[str, Any]], application: str) -> None:
    """A lost connection is Unavailable and retryable, and nothing was applied."""
    with (
        failing(admin, application, {"failCommands": ["find"], "closeConnection": True}),
        pytest.raises(Unavailable) as raised,
    ):
        table.find(id="a")
    assert (raised.value.retryable, raised.value.maybe_applied) == (True, False)


def test_a_plain_put_that_lost_its_answer_may_be_applied(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """Unavailable with maybe_applied, because repeating it is safe."""
    with (
        failing(admin, application, {"failCommands": ["update"], "closeConnection": True}),
        pytest.raises(Unavailable) as raised,
    ):
        table.put({"id": "a"})
    assert (raised.value.retryable, raised.value.maybe_applied) == (True, True)


def test_an_increment_that_lost_its_answer_is_an_unknown_outcome(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """Without another attempt nobody knows, and the id settles it."""
    data = {"failCommands": ["update", "findAndModify"], "closeConnection": True}
    with failing(admin, application, data), pytest.raises(OutcomeUnknown) as raised:
        table.update(id="a", add={"n": 1})
    assert raised.value.maybe_applied is True
    assert table.get(id="a") == {"id": "a", "n": 1}


def test_the_driver_repeats_a_write_once_and_the_server_applies_it_once(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """A single lost connection is not seen by the caller."""
    data = {"failCommands": ["update", "findAndModify"], "closeConnection": True}
    with failing(admin, application, data, {"times": 1}):
        table.update(id="a", add={"n": 1})
    assert table.get(id="a") == {"id": "a", "n": 2}


def test_a_write_that_a_majority_did_not_confirm_is_applied(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """Unavailable with maybe_applied: the item is there."""
    concern = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    data = {"failCommands": ["update"], "writeConcernError": concern}
    with failing(admin, application, data), pytest.raises(Unavailable) as raised:
        table.put({"id": "a", "n": 5})
    assert raised.value.maybe_applied is True
    # A majority has it a moment later, which is what the server did not wait for.
    assert_eventually(lambda: table.get(id="a") == {"id": "a", "n": 5})


def test_a_batch_that_a_majority_did_not_confirm_reports_each_member(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """No member is taken for written."""
    concern = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    data = {"failCommands": ["update"], "writeConcernError": concern}
    with failing(admin, application, data):
        result = table.put_many([{"id": "a"}, {"id": "b"}])
    assert [(failure.position, type(failure.error)) for failure in result.failures] == [
        (0, Unavailable),
        (1, Unavailable),
    ]
    assert result.written == 0


def test_an_overloaded_server_throttles(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """Its label decides, whatever the code."""
    labels = ["SystemOverloadedError", "RetryableError"]
    data = {"failCommands": ["find"], "errorCode": 462, "errorLabels": labels}
    with failing(admin, application, data), pytest.raises(Throttled) as raised:
        table.find(id="a")
    assert raised.value.retryable is True


def test_the_deadline_bounds_a_blocked_read(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """DeadlineExceeded after the deadline, and before the server answers."""
    table.find(id="a")

    def attempt(seconds: float) -> None:
        started = time.monotonic()
        with failing(admin, application, blocked("find", 5 * seconds)):
            with pytest.raises(DeadlineExceeded) as raised:
                table.find(id="a", timeout=seconds)
            took = time.monotonic() - started
        judged_only_if(took < 5 * seconds)
        assert raised.value.maybe_applied is False

    with_enough_time(attempt)


def test_a_blocked_write_may_be_applied(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """DeadlineExceeded with maybe_applied, because the server may go on."""
    table.find(id="a")

    def attempt(seconds: float) -> None:
        with failing(admin, application, blocked("update", 5 * seconds)):
            with pytest.raises(DeadlineExceeded) as raised:
                table.put({"id": "a"}, timeout=seconds)
            judged_only_if(raised.value.maybe_applied)

    with_enough_time(attempt)


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    """Unavailable within the time that the URL allows."""
    url = "mongodb://user:s3cr3t@127.0.0.1:1/shop?serverSelectionTimeoutMS=200"
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 ") as raised:
        isthmus.connect(url)
    assert time.monotonic() - started < 20
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("label", "method", "applied"),
    [
        ("SystemOverloadedError", "update_one", False),
        ("RetryableWriteError", "update_one", True),
        ("SystemOverloadedError", "bulk_write", True),
        ("RetryableWriteError", "list_indexes", False),
    ],
)
def test_what_surely_had_no_effect_leaves_no_doubt(table: BoundTable, label: str, method: str, applied: bool) -> None:
    """Reads, and what got no connection, which the driver marks; what it repeats by itself it may have sent before."""
    broken = pymongo.errors.AutoReconnect("reset")
    broken._add_error_label(label)
    note_request(broken, Call("things", method))
    error = table.database.backend.translate_error(broken, table.actions.update(id="a", add={"n": 1}))
    assert (type(error), error is not None and error.maybe_applied) == (Unavailable, applied)


def test_no_text_of_the_driver_is_repeated() -> None:
    """A duplicate key's value stays out of the message."""
    driver_error = pymongo.errors.DuplicateKeyError(
        "E11000 duplicate key error dup key: { _id: s3cr3t }", 11000, {"code": 11000, "keyPattern": {"x": 1}}
    )
    error = translate(driver_error, writes=True, hosts="db:1", late=False)
    assert error is not None
    assert "s3cr3t" not in str(error)


def test_racing_upserts_of_one_item_are_a_conflict() -> None:
    """Retryable, while a duplicate in another unique index is final."""
    details = {"code": 11000, "keyPattern": {"_id": 1}}
    assert isinstance(by_code(details, "db:1", writes=True), Conflict)
    assert isinstance(by_code({**details, "keyPattern": {"x": 1}}, "db:1", writes=True), UniqueViolation)


def test_a_document_that_is_too_large_is_refused() -> None:
    """ItemTooLarge, and nothing was applied."""
    error = translate(pymongo.errors.DocumentTooLarge("large"), writes=True, hosts="db:1", late=False)
    assert isinstance(error, ItemTooLarge)
    assert error.maybe_applied is False


def test_an_unknown_code_is_named() -> None:
    """BackendError with the server's name for it."""
    failure = pymongo.errors.OperationFailure("s3cr3t", 4242, {"code": 4242, "codeName": "SomethingNew"})
    error = translate(failure, writes=True, hosts="db:1", late=False)
    assert isinstance(error, BackendError)
    assert "4242 (SomethingNew)" in str(error)


def test_what_is_not_the_drivers_is_left_alone() -> None:
    """The core names it."""
    assert translate(KeyError("x"), writes=True, hosts="db:1", late=False) is None


def test_a_closed_driver_is_closed() -> None:
    """Closed, not a failure of the store."""
    failure = pymongo.errors.InvalidOperation("Cannot use MongoClient after close")
    assert isinstance(translate(failure, writes=True, hosts="db:1", late=False), Closed)


@pytest.mark.parametrize(("late", "said"), [(True, "allow a longer timeout"), (False, "time limit of its own")])
def test_a_time_limit_of_the_server_is_not_the_callers(late: bool, said: str) -> None:
    """Without a deadline there is no timeout that could be longer."""
    assert said in str(by_code({"code": 50, "codeName": "MaxTimeMSExpired"}, "db:1", writes=False, late=late))


def test_a_validator_of_the_collection_refuses_a_value(table: BoundTable, admin: MongoClient[dict[str, Any]]) -> None:
    """What somebody else demands of the documents is an error of the item, without its values."""
    admin["isthmus-tests"].command({"collMod": table.name, "validator": {"n": {"$lt": 10}}})
    writes: list[Callable[[], Any]] = [
        lambda: table.put({"id": "a", "n": 4321}),
        lambda: table.update(id="a", set={"n": 4321}),
    ]
    for write in writes:
        with pytest.raises(InvalidValue, match="validator") as caught:
            write()
        assert caught.value.maybe_applied is False
        assert "4321" not in str(caught.value)
    assert table.get(id="a")["n"] == 1
