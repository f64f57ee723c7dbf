"""DAL classes of dictionaries."""

from __future__ import annotations

from typing import Any

import pytest

from core.tests.dal.things import World
from isthmus import F
from isthmus.errors import AlreadyExists, InvalidArgument, InvalidKey, ItemNotFound, VersionConflict

NOTE: dict[str, Any] = {"id": "1", "day": "mon", "rank": 2, "text": None}


def test_an_item_comes_back_with_what_is_maintained(world: World) -> None:
    """A write gives what a read would."""
    assert world.notes.create(NOTE) == world.notes.get("1") == {**NOTE, "revision": 1}
    with pytest.raises(AlreadyExists):
        world.notes.create(NOTE)


@pytest.mark.parametrize("key", ["1", {"id": "1"}, NOTE])
def test_a_key_is_given_as_a_value_a_mapping_or_a_whole_item(world: World, key: Any) -> None:
    """All of them mean the same item."""
    world.notes.create(NOTE)
    assert world.notes.get_many([key]) == [world.notes.get(key)] == [world.notes.get(id="1")]
    assert world.notes.delete(key)
    assert world.notes.find(key) is None


@pytest.mark.parametrize("key", [{"ident": "1"}, {}])
def test_a_wrong_key_is_refused(world: World, key: Any) -> None:
    """The error names what the key is made of."""
    with pytest.raises(InvalidKey, match="notes has the key 'id'"):
        world.notes.get(key)
    with pytest.raises(InvalidKey, match="takes 1 values of a key"):
        world.notes.get("1", "2")
    with pytest.raises(InvalidKey):
        world.notes.get(1)


def test_save_keeps_what_it_is_not_given(world: World) -> None:
    """Attributes that somebody else wrote stay."""
    world.notes.create({**NOTE, "theirs": 1})
    assert world.notes.save({"id": "1", "text": "x", "revision": 1})["revision"] == 2
    assert world.notes.get("1") == {**NOTE, "theirs": 1, "text": "x", "revision": 2}
    with pytest.raises(VersionConflict):
        world.notes.save({"id": "1", "text": "y", "revision": 1})


def test_update_takes_any_attribute(world: World) -> None:
    """Names, parts of one by ``F``, numbers to add, names to remove."""
    world.notes.create({**NOTE, "size": {"cm": 1}})
    found = world.notes.update(
        "1", set={"text": "x", F.size.cm: 2, "none": None}, add={"rank": 3}, remove=["day"], when=F.rank == 2
    )
    assert found == {"id": "1", "text": "x", "size": {"cm": 2}, "rank": 5, "none": None, "revision": 2}
    with pytest.raises(ItemNotFound):
        world.notes.update("9", set={"text": "x"})
    with pytest.raises(InvalidArgument):
        world.notes.update("1", set={"id": "2"})


def test_queries_go_through_indexes(world: World) -> None:
    """With conditions, order, limits and pages."""
    assert world.notes.put_many({**NOTE, "id": str(rank), "rank": rank} for rank in range(6)).written == 6
    query = world.notes.query("mon", index="by_day").where(F.rank > 1)
    assert [note["rank"] for note in query.descending().limit(3)] == [5, 4, 3]
    assert query.page(size=2).items[0]["revision"] == 1
    assert query.count() == 4
    assert world.notes.query("mon", 3, index="by_day").one()["id"] == "3"
    assert world.notes.delete_many(["0", {"id": "1"}, world.notes.get("2")]).written == 3
    assert sorted(note["id"] for note in world.notes.scan(segments=2)) == ["3", "4", "5"]


def test_items_take_part_in_transactions(world: World) -> None:
    """Beside entities."""
    with world.transaction() as tx:
        tx.notes.create(NOTE)
        assert tx.notes.get("1")["rank"] == 2
        tx.notes.update("1", add={"rank": 1})
        assert world.notes.find("1") is None
    assert world.notes.get("1") == {**NOTE, "rank": 3, "revision": 1}
