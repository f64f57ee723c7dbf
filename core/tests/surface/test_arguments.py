"""Arguments that can't mean anything are refused as such, before anything is sent, on both databases."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest

import isthmus
from isthmus import F, Index, Key, Table
from isthmus.capabilities import Limits
from isthmus.errors import InvalidArgument, InvalidKey, QueryTooComplex
from isthmus.memory import MemoryBackend

Call = Callable[[Any, Any], Any]

WRONG: dict[str, Call] = {
    "select": lambda _d, t: t.find(id="a", sk=1, select=5),
    "select of a query": lambda _d, t: t.get_many([], select=5),
    "remove": lambda _d, t: t.update(id="a", sk=1, remove=5),
    "one action": lambda d, t: d.transact_write(t.actions.put({"id": "a", "sk": 1})),
    "one read": lambda d, t: d.transact_get(t.actions.get(id="a", sk=1)),
    "no keys": lambda _d, t: t.get_many(None),
    "one key": lambda _d, t: t.get_many({"id": "a", "sk": 1}),
    "one key to delete": lambda _d, t: t.delete_many({"id": "a", "sk": 1}),
    "a number of items": lambda _d, t: t.put_many(5),
    "text for items": lambda _d, t: t.put_many("abc"),
    "one item": lambda _d, t: t.put_many({"id": "a", "sk": 1}),
    "partition key": lambda d, _t: d.table("abc", partition_key=5),
    "three parts of a key": lambda d, _t: d.table("abc", partition_key=("a", "b", "c")),
    "list as type of a key": lambda d, _t: d.table("abc", partition_key=("a", [])),
    "one index": lambda d, _t: d.table("abc", partition_key="id", indexes=Index("idx", "g")),
    "names as indexes": lambda d, _t: d.table("abc", partition_key="id", indexes=["idx"]),
    "projection of an index": lambda _d, _t: Index("idx", "g", None, cast("Any", 5)),
    "ttl": lambda d, _t: d.table("abc", partition_key="id", ttl=[]),
    "describe nothing": lambda d, _t: d.tables.describe(None),
    "describe a surrogate": lambda d, _t: d.tables.describe("\ud800"),
    "open a number": lambda d, _t: d.tables.open(5),
    "drop a list": lambda d, _t: d.tables.drop([]),
    "drop a table object": lambda d, t: d.tables.drop(t.schema),
    "ensure a name": lambda d, _t: d.tables.ensure("abc"),
    "create a bound table": lambda d, t: d.tables.create(t),
    "execute an object": lambda d, _t: d.execute(object()),
    "endless timeout": lambda _d, t: t.find(id="a", sk=1, timeout=float("inf")),
    "endless timeout of a write": lambda _d, t: t.put({"id": "a", "sk": 1}, timeout=float("inf")),
    "timeout of a NaN": lambda d, _t: d.tables.list(timeout=float("nan")),
    "a table object with ttl": lambda d, t: d.table(t.schema, ttl="exp"),
    "a table object with versions": lambda d, t: d.table(t.schema, versioned=True),
    "a table object with timestamps": lambda d, t: d.table(t.schema, timestamps=True),
    "a table object with indexes": lambda d, t: d.table(t.schema, indexes=[Index("idx", "g")]),
    "a sort key given twice": lambda _d, t: t.find({"id": "a", "sk": 1}, sk=2),
    "a partition key given twice": lambda _d, t: t.query({"id": "a"}, id="a"),
    "no size": lambda _d, t: t.scan().pages(size=0),
    "negative size": lambda _d, t: t.scan(segments=2).pages(size=-1),
}


async def _awaited(call: Call) -> Any:
    async with isthmus.aconnect("memory://") as database:
        answer = call(database, database.table("things", partition_key="id", sort_key=("sk", int)))
        return await answer if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_refused(call: Call) -> None:
    """Refused by the sync database."""
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id", sort_key=("sk", int))
        with pytest.raises(InvalidArgument):
            call(database, table)


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_refused_by_the_async_database(call: Call) -> None:
    """Refused by its twin."""
    with pytest.raises(InvalidArgument):
        asyncio.run(_awaited(call))


@pytest.mark.parametrize("kind", ["text", "String", None, [], str])
def test_a_key_has_one_of_three_types(kind: Any) -> None:
    """A type that no key has is refused by the key itself."""
    with pytest.raises(InvalidArgument, match="use 'string', 'number' or 'binary'"):
        Key("id", kind)


@pytest.mark.parametrize(
    ("attribute", "wrong", "right"),
    [("version", "string", "number"), ("created_at", "number", "string"), ("updated_at", "binary", "string")],
)
def test_an_index_key_has_the_type_that_is_maintained(attribute: str, wrong: str, right: str) -> None:
    """Versions are numbers and timestamps text, so no other type could ever be in the index."""

    def declared(kind: str) -> Table:
        index = Index("recent", "group", (attribute, kind))
        return Table.declare("things", "id", indexes=[index], versioned=True, timestamps=True)

    assert declared(right).indexes[0].sort_key == Key(attribute, right)  # type: ignore[arg-type]  # a parameter
    with pytest.raises(InvalidArgument, match=f"'{attribute}' is maintained as a {right}"):
        declared(wrong)


class Narrow(MemoryBackend):
    """Takes short numbers and small conditions."""

    limits = Limits(number_digits=10, condition_operators=3)


def test_query_keys_have_the_digits_of_the_backend() -> None:
    """A key that the backend can't hold can't be asked for either."""
    with isthmus.connect(Narrow()) as database:
        table = database.table("things", partition_key=("n", int), sort_key=("m", int))
        for attributes in ({"n": 10**10 + 1}, {"n": 1, "m": 10**10 + 1}):
            with pytest.raises(InvalidKey, match="10 significant digits"):
                table.query(attributes)


def test_cursors_have_the_digits_of_the_backend() -> None:
    """A position that the backend can't hold is none."""
    wide, declaration = MemoryBackend(), Table("things", "id", ("n", int))
    with isthmus.connect(wide) as database:
        table = database.tables.ensure(declaration)
        table.put_many([{"id": "a", "n": 10**10 + n} for n in range(3)]).raise_for_failures()
        cursor = table.query(id="a").page(size=2).cursor
    with isthmus.connect(Narrow()) as database, pytest.raises(InvalidArgument, match="holds no position"):
        database.table(declaration).query(id="a").page(size=2, cursor=cursor)


CONDITIONS: dict[str, Call] = {
    "put": lambda t, condition: t.put({"id": "a"}, when=condition),
    "update": lambda t, condition: t.update(id="a", set={"n": 1}, upsert=True, when=condition),
    "delete": lambda t, condition: t.delete(id="a", when=condition),
    "check": lambda t, condition: t.actions.check(id="a", when=condition),
    "where": lambda t, condition: t.scan().where(condition),
    "where twice": lambda t, condition: t.scan().where(F.y.exists()).where(condition),
}


@pytest.mark.parametrize("call", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_conditions_have_the_operators_of_the_backend(call: Call) -> None:
    """More operators than the backend takes are refused before anything is sent."""
    with isthmus.connect(Narrow()) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "a", "x": 1})
        call(table, F.x.exists())
        with pytest.raises(QueryTooComplex, match="3 operators"):
            call(table, F.x.exists() & F.x.exists() & ~F.y.exists())


def test_the_smallest_of_several_limits_counts() -> None:
    """A limit narrows a selection and never widens it."""
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"{n}"} for n in range(8)]).raise_for_failures()
        assert [len(list(table.scan().limit(a).limit(b))) for a, b in ((2, 5), (5, 2), (3, 3))] == [2, 2, 3]
