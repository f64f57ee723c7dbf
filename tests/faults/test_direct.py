"""A direct connection to one member of a replica set: reads are strong only while that member is the primary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from isthmus import connect, errors
from isthmus.retries import RetryPolicy
from isthmus_engines.mongodb_set import MongoDBSet
from tests.faults.replica_sets import own_set

ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def members() -> Iterator[MongoDBSet]:
    """A set of two."""
    with own_set(2) as found:
        yield found


def direct(members: MongoDBSet, number: int) -> str:
    """The URL that leads to one member alone."""
    return f"mongodb://{members.servers[number].address}/faults?directConnection=true"


def test_a_secondary_is_refused(members: MongoDBSet) -> None:
    """ConfigurationError that says what to write."""
    with pytest.raises(errors.ConfigurationError, match="replicaSet="):
        connect(direct(members, 1 - members.primary()))


def test_a_member_that_steps_down_answers_no_more_reads(members: MongoDBSet) -> None:
    """Unavailable, from the next read on."""
    url = direct(members, members.primary())
    with connect(url, retry_policy=ONCE) as database:
        table = database.table("direct", partition_key="id").ensure()
        table.put({"id": "a"})
        assert table.get(id="a") == {"id": "a"}
        admin: MongoClient[dict[str, Any]]
        with MongoClient(url) as admin:
            admin.admin.command({"replSetStepDown": 20, "secondaryCatchUpPeriodSecs": 10})
        for read in (lambda: table.find(id="a"), lambda: list(table.scan()), lambda: table.scan().count()):
            with pytest.raises(errors.Unavailable):
                read()
