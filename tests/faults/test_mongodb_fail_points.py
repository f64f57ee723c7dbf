"""Faults inside a MongoDB server, after a write was applied: it happens once, and is never reported as failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from pymongo import MongoClient

from isthmus import BoundTable, connect
from tests.faults.places import QUICK, with_options
from tests.faults.replica_sets import own_set
from tests.faults.rounds import Outcome, Write, effects, said, started, tally, write

ROUNDS = 20
APPLICATION = "fault-tests"
COMMANDS: Mapping[Write, list[str]] = {
    "add": ["update", "findAndModify"], "create": ["insert", "update", "findAndModify"],
    "transaction": ["commitTransaction"],
}  # fmt: skip
CLOSED: dict[str, Any] = {"closeConnection": True}
# A stepping down that the driver repeats by itself, and a majority that was waited for in vain, which it does not.
STEPPED_DOWN: dict[str, Any] = {"writeConcernError": {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "test"}}
NO_MAJORITY: dict[str, Any] = {"writeConcernError": {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "test"}}

Client = MongoClient[dict[str, Any]]
each_write = pytest.mark.parametrize("kind", get_args(Write))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of its own, because fail points are the server's and would meet other tests."""
    with own_set(1) as found:
        yield found.running.url


@pytest.fixture
def plain(url: str) -> Iterator[BoundTable]:
    """A table, beside the faults."""
    with connect(url) as database:
        table = database.table("fail-points", partition_key="id").ensure()
        yield table
        table.drop()


@pytest.fixture
def faulty(plain: BoundTable, url: str) -> Iterator[BoundTable]:
    """The table as the application that the faults are for sees it."""
    with connect(with_options(url, appName=APPLICATION, serverMonitoringMode="poll"), retry_policy=QUICK) as database:
        yield database.table(plain.schema)


@pytest.fixture
def admin(url: str) -> Iterator[Client]:
    """The driver's own client."""
    client: Client = MongoClient(url)
    with client:
        yield client
        for point in ("failCommand", "onPrimaryTransactionalWrite"):
            client.admin.command({"configureFailPoint": point, "mode": "off"})


def arm(admin: Client, point: str, times: int, data: Mapping[str, Any]) -> None:
    """Let the next commands fail so."""
    admin.admin.command({"configureFailPoint": point, "mode": {"times": times}, "data": data})


def met(admin: Client, point: str) -> int:
    """How often a fail point was met since it was armed first."""
    count = admin.admin.command({"configureFailPoint": point, "mode": "off"})["count"]
    assert isinstance(count, int)
    return count


@each_write
@pytest.mark.parametrize("fault", [CLOSED, STEPPED_DOWN, NO_MAJORITY], ids=["closed", "stepped down", "no majority"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_command_that_fails_leaves_one_effect(
    plain: BoundTable, faulty: BoundTable, admin: Client, kind: Write, fault: dict[str, Any], times: int
) -> None:
    """Connections are closed, or a write is confirmed by nobody: the core's and the driver's repetitions apply once."""
    found: list[Outcome] = []
    before = met(admin, "failCommand")
    for key in started(plain, ROUNDS):
        arm(admin, "failCommand", times, {"appName": APPLICATION, "failCommands": COMMANDS[kind], **fault})
        found.append((said(lambda: write(faulty, kind, key), plain), effects(plain, kind, key)))  # noqa: B023
    assert tally(found) == {("applied", 1): ROUNDS}
    assert met(admin, "failCommand") - before >= ROUNDS


@pytest.mark.parametrize("kind", ["add", "create"])
def test_a_connection_that_closes_after_the_write_leaves_one_effect(
    plain: BoundTable, faulty: BoundTable, admin: Client, kind: Write
) -> None:
    """The server closes it between the write and its answer."""
    found: list[Outcome] = []
    before = met(admin, "onPrimaryTransactionalWrite")
    for key in started(plain, ROUNDS):
        arm(admin, "onPrimaryTransactionalWrite", 1, {"closeConnection": True})
        found.append((said(lambda: write(faulty, kind, key), plain), effects(plain, kind, key)))  # noqa: B023
    assert tally(found) == {("applied", 1): ROUNDS}
    assert met(admin, "onPrimaryTransactionalWrite") - before >= ROUNDS
