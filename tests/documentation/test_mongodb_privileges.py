"""What the page about MongoDB says a user must be allowed to do, compared with the commands that are really sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from attrs import define, field
from pymongo import MongoClient, monitoring

import isthmus
from isthmus import Database, F, Index
from tests.documentation.blocks import ROOT

FREE = {"hello", "buildInfo", "ping", "commitTransaction", "abortTransaction", "endSessions", "killCursors"}
"""Commands for which MongoDB asks no privilege."""


@define
class Listener(monitoring.CommandListener):
    """Notes the names of commands."""

    sent: set[str] = field(factory=set)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note one."""
        self.sent.add(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def documented() -> set[str]:
    """The commands in the second column of the page's table."""
    text = (ROOT / "docs" / "how-to" / "use-mongodb.md").read_text("utf-8").partition("\n## Permissions\n")[2]
    rows = [line.split("|") for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}


@pytest.fixture
def url(mongodb_url: str) -> Iterator[str]:
    """The URL of a database of its own with a collection of somebody else's, dropped at the end."""
    name = f"docs{uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(mongodb_url)._replace(path=f"/{name}"))
    client: MongoClient[Any]
    with MongoClient(url) as client:
        client[name].create_collection("foreign")
        yield url
        client.drop_database(name)


def use(database: Database) -> None:
    """Do everything that can be done."""
    indexes = [Index("by-state", "state", "date")]
    table = database.table("things", partition_key="id", indexes=indexes, ttl="gone").ensure()
    other = database.table("others", partition_key="id", versioned=True).ensure()
    table.put_many([{"id": f"{number}", "state": "open", "date": "x"} for number in range(300)])
    other.create({"id": "1"})
    table.create({"id": "n"})
    table.put({"id": "n", "m": {}}, when=F.id == "n", returning="old")
    table.update(id="n", set={"x": 1}, returning="new")
    table.update(id="n", add={F.m.s: {"a"}})
    assert table.pop(id="n") is not None
    assert len(list(table.query(state="open", index="by-state"))) == 300
    assert table.scan(segments=3).where(F.date == "x").count() == 300
    assert table.scan().page(size=2).cursor
    table.get_many([{"id": "1"}])
    database.transact_write([table.actions.update(id="1", add={"n": 1}), other.actions.check(id="1", when=F.id == "1")])
    database.transact_write([table.actions.delete(id="2")], token="one")
    database.transact_get([table.actions.get(id="1")])
    table.delete(id="1")
    table.delete_many([{"id": "3"}])
    database.tables.describe("things")
    assert database.tables.list() == ["foreign", "others", "things"]
    assert database.health().healthy
    table.drop()
    foreign = database.tables.open("foreign")
    foreign.create({"_id": "a", "n": 1})
    foreign.update(_id="a", add={"n": 1})
    assert foreign.scan().where(F.n == 2).count() == 1
    database.transact_write([foreign.actions.delete(_id="a")])


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears the commands of all clients that are made from now on."""
    listener = Listener()
    monitoring.register(listener)
    yield listener
    monitoring._LISTENERS.command_listeners.remove(listener)


def test_each_command_is_documented(url: str, listener: Listener) -> None:
    """No command is sent that the page does not have, but for those that need no privilege."""
    with isthmus.connect(url, mongodb={"mappings": {"foreign": {"partition_key": "_id"}}}) as database:
        use(database)
    assert listener.sent - FREE == documented() - {"getMore"}
