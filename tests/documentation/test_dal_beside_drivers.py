"""DAL classes over tables that other code goes on using with boto3 or PyMongo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
from attrs import define

from isthmus import DalBaseClass, F, Index, Model, Table
from tests.documentation.engines import store

if TYPE_CHECKING:
    from isthmus_engines.kinds import Kind, Running

TICKETS = Table("tickets", "_id", indexes=[Index("by_state", "state", ("rank", int))])


@define
class Ticket:
    """What our code knows of a ticket; others store more in it."""

    __isthmus__: ClassVar[Model] = Model(
        TICKETS, "id", names={"id": "_id"}, indexes=[Index("by_state", "state", "rank")]
    )
    id: str
    state: str
    rank: int


class Tickets(DalBaseClass[Ticket]):
    """Tickets as objects."""


class Items(DalBaseClass[dict[str, Any]]):
    """The same as dictionaries."""

    table = TICKETS


class Others(Protocol):
    """The other code."""

    def write(self, item: dict[str, Any]) -> None:
        """Put a whole item."""

    def read(self, key: str) -> dict[str, Any] | None:
        """The item without what is hidden."""


class WithBoto3:
    """Code that uses boto3's table resource."""

    def __init__(self, url: str) -> None:
        import boto3

        query = parse_qs(urlsplit(url).query)
        resource: Any = boto3.resource(
            "dynamodb",
            region_name="eu-west-1",
            endpoint_url=query["endpoint"][0],
            aws_access_key_id=query["access_key_id"][0],
            aws_secret_access_key="local",
        )
        types = {"_id": "S", "state": "S", "rank": "N"}
        keys = [{"AttributeName": "state", "KeyType": "HASH"}, {"AttributeName": "rank", "KeyType": "RANGE"}]
        self._table = resource.create_table(
            TableName="tickets",
            KeySchema=[{"AttributeName": "_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
            GlobalSecondaryIndexes=[
                {"IndexName": "by_state", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def write(self, item: dict[str, Any]) -> None:
        self._table.put_item(Item=item)

    def read(self, key: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._table.get_item(Key={"_id": key}, ConsistentRead=True).get("Item")
        return found and {name: value for name, value in found.items() if not name.startswith("__")}


class WithPyMongo:
    """Code that uses PyMongo."""

    def __init__(self, url: str) -> None:
        from pymongo import MongoClient

        client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._client = client
        self._tickets = client.get_default_database()["tickets"]
        self._tickets.create_index(["state", "rank"])

    def write(self, item: dict[str, Any]) -> None:
        self._tickets.replace_one({"_id": item["_id"]}, item, upsert=True)

    def read(self, key: str) -> dict[str, Any] | None:
        return self._tickets.find_one({"_id": key})

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


MAPPING = {"partition_key": "_id", "indexes": {"by_state": {"partition_key": "state", "sort_key": {
    "name": "rank", "type": "number"}}}}  # fmt: skip


@pytest.fixture(params=["dynamodb", "mongodb"])
def beside(
    request: pytest.FixtureRequest, running_engine: Callable[[Kind], Running]
) -> Iterator[tuple[Others, Callable[[type[Any]], Any]]]:
    """The other code, and what opens a DAL class over its table."""
    stand = store(request.param, running_engine(request.param).url)
    if request.param == "dynamodb":
        yield WithBoto3(stand.url), lambda kind: kind(stand.url)
    else:
        others = WithPyMongo(stand.url)
        yield others, lambda kind: kind(stand.url, mongodb={"mappings": {"tickets": MAPPING}})
        others.close()
    stand.clear()


Beside = tuple[Others, Callable[[type[Any]], Any]]
FIRST = {"_id": "1", "state": "open", "rank": 2, "theirs": {"since": "2024"}}


def test_what_the_class_does_not_know_is_kept(beside: Beside) -> None:
    """By ``save`` and ``update``, of objects and of dictionaries."""
    others, opened = beside
    others.write(FIRST)
    with opened(Tickets) as tickets:
        ticket = tickets.get("1")
        ticket.state = "held"
        tickets.save(ticket)
        assert others.read("1") == {**FIRST, "state": "held"}
        tickets.update("1", add={"rank": 1})
    with opened(Items) as items:
        assert items.get("1") == {**FIRST, "state": "held", "rank": 3}
        items.save({"_id": "1", "state": "shut"})
    assert others.read("1") == {**FIRST, "state": "shut", "rank": 3}


def test_what_others_write_is_found(beside: Beside) -> None:
    """By key, through their index, and after they changed it."""
    others, opened = beside
    for rank in range(4):
        others.write({**FIRST, "_id": str(rank), "rank": rank})
    with opened(Tickets) as tickets, opened(Items) as items:
        query = tickets.query(state="open", index="by_state").where(lambda ticket: ticket.rank > 0)
        assert [ticket.id for ticket in query.descending()] == ["3", "2", "1"]
        assert items.query("open", index="by_state").where(F.rank < 2).count() == 2
        others.write({**FIRST, "_id": "3", "state": "shut"})
        assert [ticket and ticket.state for ticket in tickets.get_many(["3", "9"])] == ["shut", None]


def test_others_in_the_way_of_a_transaction_are_noticed(beside: Beside) -> None:
    """It runs again on what they wrote, although they know nothing of it."""
    others, opened = beside
    others.write(FIRST)
    with opened(Tickets) as tickets:
        runs = []

        def work(tx: Tickets) -> None:
            ticket = tx.get("1")
            runs.append(ticket.rank)
            if len(runs) == 1:
                others.write({**FIRST, "rank": 10})
            ticket.rank += 1
            tx.save(ticket)
            tx.create(Ticket("2", "open", ticket.rank))

        tickets.run_transaction(work)
    assert runs == [2, 10]
    assert others.read("1") == {**FIRST, "rank": 11}
    assert others.read("2") == {"_id": "2", "state": "open", "rank": 11}


def test_ensure_leaves_their_table_as_it_is(beside: Beside) -> None:
    """Where the declaration says what is there."""
    others, opened = beside
    others.write(FIRST)
    with opened(Items) as items:
        items.ensure()
        assert items.delete("1")
    assert others.read("1") is None
