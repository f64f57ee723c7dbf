"""Revisions on DynamoDB: what other programs change is seen, and every write of ours leaves another hidden mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve

from isthmus import BoundTable, Capability
from isthmus.errors import ItemChanged, QueryTooComplex, TransactionFailed, UnsupportedOperation
from isthmus.operations import Revision
from plugins.dynamodb.tests.stored import Store, open_store


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database without retries."""
    with open_store(dynamodb_url) as opened:
        yield opened


@pytest.fixture
def table(store: Store) -> BoundTable:
    """A table with one item."""
    table = store.database.table("seen", partition_key="id")
    table.ensure()
    table.put({"id": "1", "n": 1})
    return table


def seen(table: BoundTable) -> Revision:
    """The revision of the item."""
    answer: Any = table.database.execute(evolve(table.actions.get(id="1"), revision=True))
    revision: Revision = answer.revision
    return revision


def hidden(store: Store) -> dict[str, Any]:
    """The hidden attributes of the item, as they are stored."""
    found = store.client.get_item(TableName=f"{store.prefix}seen", Key={"id": {"S": "1"}})["Item"]
    return {name: value for name, value in found.items() if name.startswith("__")}


def write(table: BoundTable, revision: Revision) -> None:
    """A put that depends on the item being as it was seen."""
    table.database.execute(evolve(table.actions.put({"id": "1", "written": True}), unchanged=revision))


ADDING: dict[str, Callable[[BoundTable], object]] = {
    "put": lambda table: table.put({"id": "1", "n": 1, "more": 2}),
    "put_many": lambda table: table.put_many([{"id": "1", "n": 1, "more": 2}]).raise_for_failures(),
    "update": lambda table: table.update(id="1", set={"more": 2}),
    "transaction": lambda table: table.database.transact_write([table.actions.update(id="1", set={"more": 2})]),
    "token": lambda table: table.database.transact_write(
        [table.actions.put({"id": "1", "n": 1, "more": 2})], token="adding"
    ),
    "token, update": lambda table: table.database.transact_write(
        [table.actions.update(id="1", set={"more": 2})], token="adding"
    ),
}


@pytest.mark.parametrize("way", ADDING)
def test_an_attribute_that_isthmus_adds_is_seen(store: Store, table: BoundTable, way: str) -> None:
    """Although a condition can't ask for attributes that nobody knows of: the hidden ones have changed."""
    revision, before = seen(table), hidden(store)
    ADDING[way](table)
    assert hidden(store) != before
    with pytest.raises(ItemChanged):
        write(table, revision)
    with pytest.raises(TransactionFailed) as raised:
        table.database.transact_write([evolve(table.actions.delete(id="1"), unchanged=revision)])
    assert [type(reason) for reason in raised.value.reasons] == [ItemChanged]
    assert table.get(id="1")["more"] == 2


@pytest.mark.parametrize("item", [{"n": {"N": "2"}}, {}, {"n": {"S": "1"}}], ids=["changed", "removed", "type"])
def test_what_another_program_changes_is_seen(store: Store, table: BoundTable, item: dict[str, Any]) -> None:
    """It knows nothing of hidden attributes, and may even have kept them."""
    revision = seen(table)
    store.client.put_item(TableName=f"{store.prefix}seen", Item={"id": {"S": "1"}, **hidden(store), **item})
    with pytest.raises(ItemChanged):
        write(table, revision)
    assert "written" not in table.get(id="1")


def test_an_item_of_another_program_is_written_as_it_was_seen(store: Store, table: BoundTable) -> None:
    """It has no hidden attribute yet; a number may be stored in another form."""
    store.client.put_item(
        TableName=f"{store.prefix}seen", Item={"id": {"S": "1"}, "n": {"N": "1.50"}, "b": {"B": b"\x00"}}
    )
    write(table, seen(table))
    assert table.get(id="1")["written"] is True


class TestManyAttributes:
    """More attributes than a condition may hold."""

    MANY = tuple(f"a{number}" for number in range(160))

    def test_the_hidden_ones_stand_for_all(self, table: BoundTable) -> None:
        """The last write left one, and another write replaces it."""
        item = {"id": "1", **dict.fromkeys(self.MANY, 1)}
        table.put(item)
        first = seen(table)
        write(table, first)
        table.put(item)
        with pytest.raises(ItemChanged):
            write(table, first)

    def test_as_many_as_are_compared_can_be_changed(self, table: BoundTable) -> None:
        """Although each change that is judged here rests on the attribute as it was."""
        names = self.MANY[:100]
        table.put({"id": "1", **dict.fromkeys(names, 1)})
        update = evolve(table.actions.update(id="1", copy={name: name for name in names}), unchanged=seen(table))
        table.database.execute(update)
        with pytest.raises(ItemChanged):
            table.database.execute(update)

    def test_without_one_it_is_refused(self, store: Store, table: BoundTable) -> None:
        """Nothing would tell a change, so the error says what to do."""
        attributes = {name: {"N": "1"} for name in self.MANY}
        store.client.put_item(TableName=f"{store.prefix}seen", Item={"id": {"S": "1"}, **attributes})
        with pytest.raises(QueryTooComplex, match="put it once"):
            write(table, seen(table))


@pytest.mark.parametrize("way", ["put", "put_many"])
def test_an_item_of_exactly_the_limit_is_put_without_a_mark(store: Store, table: BoundTable, way: str) -> None:
    """There is no room for one."""
    item = {"id": "1", "x": "y" * (store.database.limits.item_bytes - 4)}
    if way == "put":
        table.put(item)
    else:
        table.put_many([item]).raise_for_failures()
    assert (table.get(id="1"), hidden(store)) == (item, {})


def test_they_need_the_hidden_attributes(dynamodb_url: str) -> None:
    """Where those are turned off, no revision is read, and a plain put leaves nothing but its item."""
    with open_store(dynamodb_url, operation_ids=False) as store:
        table = store.database.table("seen", partition_key="id")
        table.ensure()
        table.put({"id": "1"})
        assert hidden(store) == {}
        assert not store.database.capabilities.supports(Capability.REVISION)
        with pytest.raises(UnsupportedOperation, match="operation_ids"):
            seen(table)
