"""What the page about DynamoDB says a caller must be allowed to do, compared with what the backend really asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any

import pytest

from isthmus import Database, F, Index, Table
from isthmus.operations import Context, Resolve
from isthmus.values import Item
from isthmus_dynamodb.names import CATALOGUE, TOKENS
from isthmus_dynamodb.native import Request
from plugins.dynamodb.tests.stored import NOW, Store, open_store
from tests.documentation.blocks import ROOT

INDEXES = [Index("by-state", "state", projection="keys")]
PLAIN = Table("papers", "id", ("n", int), INDEXES, ttl="gone")
VERSIONED = Table("papers", "id", ("n", int), INDEXES, ttl="gone", version="v")
NEW = Table("new", "id", ttl="gone", version="v")
KEY: Item = {"id": "a", "n": 1}
ITEM = {**KEY, "state": "open", "m": {"x": 1}}
OTHER = {**KEY, "n": 2}
EXPIRED_KEY = {**KEY, "n": 9}
LONG = reduce(or_, [F.state == "open", *(F.m.a.b.c.d.e.f.g.h.i.j == number for number in range(140))])
"""True, and longer than DynamoDB takes."""

Run = Callable[[Database], object]
_MEMBERS = {
    "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}  # fmt: skip


def permission_table(page: str, heading: str) -> dict[str, tuple[set[str], set[str]]]:
    """The rows of the table below a heading: the names that stand as code in its second and third column."""
    text = (ROOT / "docs" / "how-to" / page).read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")][1:]
    return {row[0].strip(): (_codes(row[1]), _codes(row[2])) for row in rows}


def _codes(cell: str) -> set[str]:
    return set(re.findall(r"`([A-Z]\w+)`", cell))


def iam_actions(requests: Iterable[Request]) -> set[tuple[str, str]]:
    """What IAM checks for requests: pairs of an action and a table."""
    return {pair for request in requests for pair in _pairs(request)}


def _pairs(request: Request) -> Iterator[tuple[str, str]]:
    """A transaction needs the actions of its members; tags are an action of their own."""
    parameters = request.parameters
    if request.action in ("TransactWriteItems", "TransactGetItems"):
        members = [pair for member in parameters["TransactItems"] for pair in member.items()]
        yield from ((_MEMBERS[kind], member["TableName"]) for kind, member in members)
        return
    table = parameters.get("TableName", "")
    yield request.action, table
    if "Tags" in parameters:
        yield "TagResource", table


def _papers(run: Callable[[Any], object]) -> Run:
    return lambda database: run(database.table(PLAIN))


def _transaction(run: Callable[[Any], Any], token: str | None = None) -> Run:
    return lambda database: database.transact_write(run(database.table(PLAIN).actions), token=token)


def _with_token(token: str) -> Run:
    return _transaction(lambda actions: [actions.put(ITEM)], token)


ROWS = permission_table("use-dynamodb.md", "Permissions")
ALWAYS: dict[str, list[Run]] = {
    "`get`, `find`": [_papers(lambda t: t.find(KEY))],
    "`create`, `put`": [_papers(lambda t: t.create(OTHER)), _papers(lambda t: t.put(ITEM, when=F.n == 1))],
    "`update`": [_papers(lambda t: t.update(KEY, set={"x": 1}, when=F.state == "open"))],
    "`delete`, `pop`": [_papers(lambda t: t.delete(KEY)), _papers(lambda t: t.pop(KEY))],
    "`query`, its pages and counts": [
        _papers(lambda t: list(t.query(id="a"))),
        _papers(lambda t: t.query(id="a").count()),
    ],
    "`scan`, its pages and counts": [_papers(lambda t: list(t.scan())), _papers(lambda t: t.scan().count())],
    "`get_many`": [_papers(lambda t: t.get_many([KEY]))],
    "`put_many`, `delete_many`": [_papers(lambda t: t.put_many([ITEM])), _papers(lambda t: t.delete_many([KEY]))],
    "`transact_get`": [lambda database: database.transact_get([database.table(PLAIN).actions.get(KEY)])],
    "`transact_write`: `put`, `create`": [_transaction(lambda a: [a.put(ITEM), a.create(OTHER)])],
    "`transact_write`: `update`": [_transaction(lambda a: [a.update(KEY, add={"x": 1})])],
    "`transact_write`: `delete`": [_transaction(lambda a: [a.delete(KEY)])],
    "`transact_write`: `check`": [_transaction(lambda a: [a.check(KEY, when=F.state == "open")])],
    "`resolve`": [lambda database: database.execute(Resolve(Context(), "papers", KEY, "0" * 24))],
    "`tables.list`, `health`": [lambda database: database.tables.list(), lambda database: database.health()],
    "`tables.describe`, `tables.open`": [lambda database: database.tables.describe("papers")],
    "`ensure` of a table that exists": [lambda database: database.tables.ensure(PLAIN)],
    "`ensure`, `tables.create` of a new table": [lambda database: database.tables.ensure(Table("bare", "id"))],
    "`drop`": [lambda database: database.tables.drop("papers")],
}
RARELY: dict[str, list[Run]] = {
    "`create`, `put`": [_papers(lambda t: t.put(ITEM, when=LONG))],
    "`update`": [
        _papers(lambda t: t.update(KEY, add={F.m.s: {"a"}})),
        _papers(lambda t: t.update(EXPIRED_KEY, set={"x": 1}, upsert=True)),
    ],
    "`delete`, `pop`": [_papers(lambda t: t.delete(KEY, when=LONG))],
    "`query`, its pages and counts": [_papers(lambda t: list(t.query(state="open", index="by-state")))],
    "`put_many`, `delete_many`": [lambda database: database.table(VERSIONED).put_many([OTHER])],
    "`transact_write`: `put`, `create`": [_transaction(lambda a: [a.put(ITEM, when=LONG)])],
    "`transact_write`: `update`": [
        _transaction(lambda a: [a.update(KEY, add={F.m.s: {"a"}})]),
        _transaction(lambda a: [a.update(EXPIRED_KEY, set={"x": 1}, upsert=True)]),
    ],
    "`transact_write`: `delete`": [_transaction(lambda a: [a.delete(OTHER, when=~LONG)])],
    "`transact_write`: `check`": [_transaction(lambda a: [a.check(KEY, when=LONG)])],
    "`ensure`, `tables.create` of a new table": [lambda database: database.tables.ensure(NEW)],
}
TOKEN_ROW = "`transact_write` with a token, on `isthmus-tokens`"


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A table with an item and an expired one, used before."""
    with open_store(dynamodb_url) as opened:
        table = opened.database.tables.ensure(PLAIN)
        table.put(ITEM)
        opened.put_raw("papers", {"id": {"S": "a"}, "n": {"N": "9"}, "gone": {"N": f"{NOW - 5}"}})
        assert list(table.query(state="open", index="by-state"))
        opened.recorder.sent.clear()
        yield opened


def asked(store: Store, runs: Iterable[Run]) -> set[str]:
    """The actions that are needed for some runs, without those on the table that stands for missing tags."""
    store.recorder.sent.clear()
    for run in runs:
        run(store.database)
    return {action for action, table in iam_actions(store.recorder.sent) if not table.endswith(CATALOGUE)}


@pytest.mark.parametrize("name", ALWAYS)
def test_what_is_always_needed(name: str, store: Store) -> None:
    """Exactly the actions in the second column."""
    assert asked(store, ALWAYS[name]) == ROWS[name][0]


@pytest.mark.parametrize("name", [name for name in ALWAYS if ROWS[name][1]])
def test_what_is_sometimes_needed(name: str, store: Store) -> None:
    """The calls that the third column describes need its actions too, and no others."""
    always, rarely = ROWS[name]
    assert asked(store, RARELY[name]) | always == always | rarely


def test_a_token_needs_its_table(store: Store) -> None:
    """The very first one makes the table; one that was used is read where the tables of the transaction are gone."""
    found = []
    for runs in ([_with_token("one")], [_with_token("two")], [lambda database: database.tables.drop("papers")],
                 [_with_token("two")]):  # fmt: skip
        asked(store, runs)
        found.append({action for action, table in iam_actions(store.recorder.sent) if table.endswith(TOKENS)})
    always, rarely = ROWS[TOKEN_ROW]
    assert found[1] == always
    assert set().union(*found) == always | rarely


def test_the_first_use_of_a_table_describes_it(store: Store) -> None:
    """Once for each table."""
    store.database.tables.ensure(NEW)
    table = store.database.table(NEW)
    calls = [asked(store, [lambda _database: table.find(id="a")]) for _ in range(2)]
    assert calls == [{"GetItem"} | ROWS["the first use of a table"][0], {"GetItem"}]


def test_each_row_is_compared() -> None:
    """No row is left out, and no call that can need more."""
    assert set(ROWS) == {*ALWAYS, TOKEN_ROW, "the first use of a table"}
    assert {name for name, (_always, rarely) in ROWS.items() if rarely} == {*RARELY, TOKEN_ROW}
