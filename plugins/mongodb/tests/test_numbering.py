"""Writes that are sent again under the same number: applied once, and the error that is left tells the most."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

import isthmus
from isthmus_mongodb.backend import MongoDBBackend
from isthmus_mongodb.native import Call
from isthmus_mongodb.numbering import Sessions, once, repeated
from plugins.mongodb.tests.servers import driver, failing, fresh_name, in_database

CONCERN = {"w": "majority", "j": True}
ADDITION = Call("numbers", "update_one", ({"_id": 1}, {"$inc": {"n": 1}}))
WRITTEN = {"ok": 1, "n": 1}
RETRYABLE = {"errorLabels": ["RetryableWriteError"]}


class Client:
    """Begins sessions that only have to differ."""

    def start_session(self, **_options: Any) -> object:
        """A new session."""
        return object()


def attempts(answers: list[Any], sessions: Sessions, deadline: float | None = None) -> tuple[list[Any], Any]:
    """The numbers that a write was sent with, and how it ended, where the server gives these answers."""
    steps = repeated(ADDITION, CONCERN, sessions, Client(), deadline)
    sent = [next(steps)]
    ending: Any = None
    try:
        for answer in answers:
            step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
            sent.append(step)
    except StopIteration as stop:
        ending = stop.value
    except PyMongoError as error:
        ending = error
    assert len({id(session) for _, session in sent}) == 1
    return [command["txnNumber"] for command, _ in sent], ending


def test_writes_count_up_in_one_session() -> None:
    """A server takes only rising numbers."""
    sessions = Sessions()
    first, second = (attempts([WRITTEN], sessions)[0] for _ in range(2))
    assert [number - first[0] for number in first + second] == [0, 1]


def test_a_lost_write_is_sent_again_with_its_number_and_session() -> None:
    """By both the server knows it again; the session is not used for another write."""
    sessions = Sessions()
    numbers, ending = attempts([AutoReconnect("lost"), WRITTEN], sessions)
    assert (len(numbers), len(set(numbers)), ending.matched_count) == (2, 1, 1)
    assert sessions.drain() == []


def refusal(code: int, *labels: str) -> OperationFailure:
    """A server's error."""
    return OperationFailure("no", code, {"code": code, "errorLabels": list(labels)})


@pytest.mark.parametrize(
    "error",
    [
        refusal(50),
        DuplicateKeyError("taken", 11000, {}),
        refusal(462, "RetryableWriteError", "SystemOverloadedError"),
        ServerSelectionTimeoutError("nobody"),
        NotPrimaryError("not me", {}),
    ],
)
def test_what_is_not_sent_again(error: PyMongoError) -> None:
    """Errors that another attempt would meet too, or that are not labelled."""
    numbers, ending = attempts([error], Sessions())
    assert (len(numbers), ending) == (1, error)


LOST = AutoReconnect("lost")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (AutoReconnect("again"), "again"),
        (ServerSelectionTimeoutError("nobody"), "lost"),
        (OperationFailure("nothing", 91, {"errorLabels": ["RetryableWriteError", "NoWritesPerformed"]}), "lost"),
        (OperationFailure("who are you", 18, {}), "lost"),
        (OperationFailure("too busy", 462, {"errorLabels": ["SystemOverloadedError"]}), "lost"),
        (NotPrimaryError("not me", {"code": 10107}), "lost"),
        (InvalidOperation("closed"), "lost"),
        (DuplicateKeyError("taken", 11000, {}), "taken"),
    ],
)
def test_the_second_failure_ends_it(second: PyMongoError, told: str) -> None:
    """It is raised, unless it says that the second attempt wrote nothing: the first one may have written."""
    numbers, ending = attempts([LOST, second], Sessions())
    assert (len(numbers), told in str(ending)) == (2, True)


def test_a_write_with_a_deadline_is_sent_until_it_passes() -> None:
    """Each time with the same number."""
    losses = [AutoReconnect(str(number)) for number in range(5)]
    numbers, ending = attempts([*losses, WRITTEN], Sessions(), time.monotonic() + 60)
    assert (len(numbers), len(set(numbers)), ending.matched_count) == (6, 1, 1)
    numbers, ending = attempts([*losses], Sessions(), time.monotonic() - 1)
    assert (len(numbers), str(ending)) == (2, "1")


def test_a_labelled_answer_is_sent_again() -> None:
    """A server that was shutting down wrote, but perhaps not for good."""
    concern = {"code": 91, "errmsg": "shutting down"}
    numbers, ending = attempts([{**WRITTEN, "writeConcernError": concern, **RETRYABLE}, WRITTEN], Sessions())
    assert (len(numbers), ending.matched_count) == (2, 1)


def test_an_answer_that_is_left_is_an_error() -> None:
    """With the code of what is missing."""
    concern = {"code": 64, "errmsg": "not confirmed"}
    _, ending = attempts([{**WRITTEN, "writeConcernError": concern}], Sessions())
    assert (type(ending), ending.code) == (WriteConcernError, 64)


def test_a_server_alone_gets_no_number() -> None:
    """It would refuse one."""
    command, session = next(once(ADDITION, CONCERN))
    assert ("txnNumber" in command, session) == (False, None)


@pytest.fixture
def admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that lets the server fail."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def send(mongodb_url: str) -> Iterator[Callable[[Call], Any]]:
    """Sends to the server as the backend does."""
    with isthmus.connect(in_database(mongodb_url, "appName=numbering")) as database:
        backend = database.backend
        assert isinstance(backend, MongoDBBackend)
        yield lambda call: backend._blocking.send(call, None)


def test_the_server_applies_a_write_once(send: Callable[[Call], Any], admin: MongoClient[dict[str, Any]]) -> None:
    """It was applied before the first answer, which asked to send it again."""
    name = fresh_name()
    send(Call(name, "insert_one", ({"_id": 1, "n": 0},)))
    concern = {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "shutting down"}
    data = {"failCommands": ["update"], "writeConcernError": concern, **RETRYABLE}
    with failing(admin, "numbering", data, {"times": 1}):
        answer = send(Call(name, "update_one", ({"_id": 1}, {"$inc": {"n": 1}})))
    found = send(Call(name, "find_one_and_delete", ({"_id": 1},)))
    assert (answer.matched_count, found) == (1, {"_id": 1, "n": 1})
    admin.get_database("isthmus-tests").drop_collection(name)
