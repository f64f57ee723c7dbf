"""The real engines are what tests take them for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from pymongo import MongoClient

from isthmus_engines import Running, mongodb_set
from isthmus_engines.kinds import Kind
from isthmus_engines.mongodb import is_primary

GetEngine = Callable[[Kind], Running]


def hello(address: str) -> dict[str, Any]:
    """What a MongoDB server says of itself."""
    with MongoClient[dict[str, Any]](address) as client:
        return dict(client.admin.command("hello"))


def table_names(endpoint: str) -> list[str]:
    """The tables of an endpoint, in a region that no other test uses."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="eu-south-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="x",
    )
    try:
        return list(client.list_tables()["TableNames"])
    finally:
        client.close()


def test_mongodb_is_a_set_of_one(running_engine: GetEngine) -> None:
    """It takes writes, and as a member of a set it has transactions."""
    said = hello(running_engine("mongodb").address)
    assert (said["isWritablePrimary"], said["setName"], len(said["hosts"])) == (True, "rs0", 1)


def test_mongodb_standalone_belongs_to_no_set(running_engine: GetEngine) -> None:
    """It takes writes all the same."""
    said = hello(running_engine("mongodb_standalone").address)
    assert (said["isWritablePrimary"], "setName" in said) == (True, False)


@pytest.mark.parametrize("kind", ["dynamodb", "moto"])
def test_dynamodb_answers(running_engine: GetEngine, kind: Kind) -> None:
    """A place that nobody used has no tables."""
    assert table_names(running_engine(kind).address) == []


@pytest.mark.parametrize("kind", ["mongodb", "dynamodb"])
def test_one_engine_serves_the_whole_run(running_engine: GetEngine, kind: Kind) -> None:
    """Asking again gives the same server."""
    assert running_engine(kind) == running_engine(kind)


def test_a_server_that_runs_already_is_used(running_engine: GetEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable wins, and no process is started."""
    monkeypatch.setenv("ISTHMUS_ENGINE_MONGODB_URL", "mongodb://elsewhere:27017/shop")
    expected = Running("mongodb", "mongodb://elsewhere:27017/shop", "mongodb://elsewhere:27017/shop", ())
    assert running_engine("mongodb") == expected


def test_a_set_of_three_survives_its_primary() -> None:
    """Another member takes over; the killed one comes back and follows."""
    with mongodb_set() as cluster:
        before = cluster.primary()
        assert len(hello(cluster.running.address)["hosts"]) == 3
        cluster.kill(before)
        after = cluster.primary()
        assert after != before
        cluster.restart(before)
        assert not is_primary(cluster.servers[before].port)
