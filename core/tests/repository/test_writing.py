"""Writes of entities: what is sent, what entities hold afterwards, units of work (rules REP-7 to REP-10)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import define, evolve, field, frozen

import isthmus
from core.tests.repository.people import Note, User
from isthmus import Database, F, Model, Plugin, Repository, hookimpl
from isthmus.errors import (
    ConditionFailed,
    InvalidArgument,
    InvalidKey,
    InvalidStoredValue,
    ItemNotFound,
    UniqueViolation,
    VersionConflict,
)
from isthmus.observing import Outcome
from isthmus.repository.registry import registry_of

SEEN: list[str] = []


class Watcher(Plugin):
    """Notes the kinds of operations."""

    name = "watcher"

    @hookimpl
    def isthmus_operation_completed(self, outcome: Outcome) -> None:
        """One more."""
        SEEN.append(outcome.kind)


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty one, whose operations are noted."""
    with isthmus.connect("memory://", plugins=[Watcher], clock=lambda: 1_800_000_000.0) as opened:
        yield opened


@pytest.fixture
def users(database: Database) -> Repository[User]:
    """Versioned, unique, stamped."""
    found = database.repository(User).ensure()
    SEEN.clear()
    return found


@pytest.fixture
def notes(database: Database) -> Repository[Note]:
    """Frozen, neither versioned nor unique."""
    found = database.repository(Note).ensure()
    SEEN.clear()
    return found


def test_what_is_maintained_comes_into_the_entity(users: Repository[User], notes: Repository[Note]) -> None:
    """Itself, or a copy where its class is frozen."""
    now = datetime.fromtimestamp(1_800_000_000, UTC)
    ann, note = User("acme", "1", "a@x"), Note("1")
    assert users.create(ann) is ann
    assert [ann.version, ann.created_at, ann.updated_at] == [1, now, now]
    assert [notes.create(note), note.made] == [Note("1", made=now), None]


def test_nothing_is_written_when_nothing_changed(users: Repository[User]) -> None:
    """Nor read."""
    ann = users.create(User("acme", "1", "a@x", tags=["x"]))
    SEEN.clear()
    assert users.save(ann) is ann
    assert SEEN == []
    ann.tags.append("y")
    users.save(ann)
    assert SEEN == ["update"]
    assert users.get("acme", "1").tags == ["x", "y"]


def test_unique_values_cost_a_transaction_only_when_they_change(users: Repository[User]) -> None:
    """What is read first is what the guards depend on."""
    ann = users.create(User("acme", "1", "a@x"))
    SEEN.clear()
    ann.nick = "Annie"
    users.save(ann)
    ann.email = "b@x"
    users.save(ann)
    assert [kind for kind in SEEN if kind != "get"] == ["update", "transact_write"]


def test_names_of_attributes(users: Repository[User]) -> None:
    """A field may be stored under another name, in conditions and changes too."""
    users.create(User("acme", "1", "a@x", nick="Annie"))
    assert users.table.get(pk="ORG#acme", sk="USER#1")["nickname"] == "Annie"
    assert users.update("acme", "1", set={"nick": "An"}, when=lambda u: u.nick == "Annie").nick == "An"
    assert users.query("acme").where(lambda u: u.nick == "An").one().id == "1"
    assert users.update("acme", "1", set=lambda u: evolve(u, nick=u.email)).nick == "a@x"


def test_frozen_entities_are_saved_against_what_was_loaded(notes: Repository[Note]) -> None:
    """What is stored beside the class is kept, also where nothing is known of what was loaded."""
    notes.table.put({"id": "1", "text": "a", "stars": 3, "extra": 1})
    loaded = notes.get("1")
    notes.table.update(id="1", set={"stars": 4})
    notes.save(evolve(loaded, text="b"), since=loaded)
    assert [notes.get("1").text, notes.get("1").stars] == ["b", 4]
    notes.save(Note("1", "c"))
    stored = notes.table.get(id="1")
    assert {name: stored[name] for name in ("text", "stars", "extra")} == {"text": "c", "stars": 0, "extra": 1}
    with pytest.raises(InvalidArgument, match="since"):
        notes.save(Note("1"), since=Note("1"))


def test_an_entity_that_was_never_loaded_is_saved_by_its_version(users: Repository[User]) -> None:
    """Without a version it is new."""
    users.save(User("acme", "1", "a@x"))
    users.save(User("acme", "1", "b@x", version=1))
    with pytest.raises(VersionConflict):
        users.save(User("acme", "1", "c@x", version=1))
    assert [users.get("acme", "1").email, users.get("acme", "1").version] == ["b@x", 2]


def test_keys_do_not_change(users: Repository[User]) -> None:
    """An entity with another key is another entity."""
    ann = users.create(User("acme", "1", "a@x"))
    ann.id = "2"
    with pytest.raises(InvalidKey, match="create the new one"):
        users.save(ann)
    with pytest.raises(InvalidArgument):
        users.update("acme", "1", set={"id": "2"})


def test_unique_values_of_several_fields(users: Repository[User]) -> None:
    """Together; where one of them is None, there is nothing to share."""
    users.create(User("acme", "1", "a@x", badge=7))
    users.create(User("other", "1", "b@x", badge=7))
    users.create(User("acme", "2", "c@x"))
    users.create(User("acme", "3", "d@x"))
    with pytest.raises(UniqueViolation) as caught:
        users.update("acme", "2", set={"badge": 7})
    assert caught.value.constraint == ("org", "badge")
    users.update("acme", "1", remove="badge")
    assert users.update("acme", "2", set={"badge": 7}).badge == 7
    assert users.query(index="by_badge", org="acme", badge=7).one().id == "2"


def test_duplicates_from_before_the_constraint(database: Database) -> None:
    """An item whose value belongs to another one can be changed and deleted, and frees nothing that is not its own."""
    plain = database.repository(Note, model=Model("notes", "id")).ensure()
    for number in "12":
        plain.put(Note(number, "same"))
    notes = database.repository(Note, model=Model("notes", "id", unique=["text"])).ensure()
    notes.put(Note("1", "same"))
    assert notes.delete("2") is True
    with pytest.raises(UniqueViolation):
        notes.create(Note("3", "same"))


def test_conditions_of_writes(users: Repository[User]) -> None:
    """They are judged with what a repository needs itself."""
    users.create(User("acme", "1", "a@x"))
    with pytest.raises(ConditionFailed):
        users.update("acme", "1", set={"email": "b@x"}, when=lambda u: u.nick == "x")
    with pytest.raises(ConditionFailed):
        users.delete("acme", "1", when=F.email == "b@x")
    with pytest.raises(VersionConflict):
        users.update("acme", "1", set={"nick": "x"}, expected_version=7)
    with pytest.raises(ItemNotFound):
        users.update("acme", "9", set={"email": "b@x"})
    assert [users.get("acme", "1").email, users.delete("acme", "1", when=lambda u: u.email == "a@x")] == ["a@x", True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"set": {"badge": "x"}}, {"set": {"missing": 1}}, {"add": {"missing": 1}}, {"add": {"badge": "x"}},
        {"remove": "email"}, {"remove": ["missing"]}, {"set": lambda u: evolve(u, missing=1)},
        {"set": lambda u: evolve(u, email=1)}, {"set": lambda u: evolve(u, email=u.badge + 1)}, {"set": lambda _u: 1},
        {"set": {"version": 3}}, {"add": {"badge": 1}}, {},
    ],
)  # fmt: skip
def test_wrong_changes_are_refused(users: Repository[User], wrong: Any) -> None:
    """Before anything is written."""
    before = users.create(User("acme", "1", "a@x"))
    if not wrong:
        assert users.update("acme", "1", **wrong).email == "a@x"
        return
    with pytest.raises(InvalidArgument):
        users.update("acme", "1", **wrong)
    assert users.get("acme", "1") == before


@pytest.mark.parametrize(
    "key",
    [
        ("acme",),
        ("acme", "1", "x"),
        ("acme", 1),
        (lambda u: u.org == "acme",),
        (lambda u: u.org,),
        ({"org": "acme"},),
        (lambda u: (u.org == "acme") and (u.id == "1"),),
        (lambda u: u.organisation == "acme",),
        (1, 2),
        (),
        (lambda u: (u.org == "acme") & (u.org == "b"),),
        (lambda u: (u.org > "acme") & (u.id == "1"),),
    ],
)
def test_wrong_keys_are_refused(users: Repository[User], key: Any) -> None:
    """Whatever form they have."""
    with pytest.raises(InvalidArgument):
        users.get(*key)


def test_forms_of_keys(users: Repository[User]) -> None:
    """All mean the same."""
    ann = users.create(User("acme", "1", "a@x"))
    forms: list[Any] = [("acme", "1"), ({"org": "acme", "id": "1"},), (lambda u: (u.org == "acme") & (u.id == "1"),)]
    assert [users.get(*form) for form in forms] == [ann] * 3
    assert [users.get(org="acme", id="1"), users.get("acme", id="1")] == [ann] * 2
    assert users.get_many([("acme", "1"), ("acme", "2"), {"org": "acme", "id": "1"}, ann]) == [ann, None, ann, ann]


def test_batches(users: Repository[User], notes: Repository[Note]) -> None:
    """As one where that is safe; a failure says which member and why."""
    entities = [Note("1", "a"), Note("2", "b")]
    assert notes.put_many(entities).written == 2
    people = [User("acme", "1", "a@x"), User("acme", "2", "a@x"), User("acme", "3", "c@x")]
    result = users.put_many(people)
    found = [(failure.position, type(failure.error)) for failure in result.failures]
    assert [result.written, found, users.scan().count()] == [2, [(1, UniqueViolation)], 2]
    SEEN.clear()
    assert [notes.delete_many(["1", entities[1]]).written, notes.scan().count()] == [2, 0]
    assert SEEN == ["delete_many", "scan"]
    assert [users.delete_many([people[0], ("acme", "3")]).written, users.scan().count()] == [2, 0]
    assert [notes.put_many([]).written, notes.delete_many([]).written, notes.get_many([])] == [0, 0, []]
    users.create(User("acme", "4", "a@x"))


def test_batches_leave_items_of_other_classes(database: Database) -> None:
    """Where keys alone don't tell them apart."""
    notes = database.repository(Note, model=Model("notes", "id", discriminator="note")).ensure()
    notes.table.put({"id": "1", "type": "other"})
    assert [len(notes.put_many([Note("1"), Note("2")]).failures), notes.scan().count()] == [1, 1]
    assert notes.delete_many(["1", "2"]).written == 2
    assert [item["id"] for item in notes.table.scan()] == ["1"]


@pytest.mark.parametrize(
    ("sort", "other", "calls"),
    [
        ("{id}", "USER#{id}", 3),  # what is its own is in no key
        ("US{id}", "USER#{id}", 3),  # is it a beginning of another one's
        ("NOTE#{id}", "USER#{id}", 1),
        ("NOTE#{id}", "{id}", 3),  # the other one's may begin so
    ],
)
def test_batches_of_classes_that_share_partitions(database: Database, sort: str, other: str, calls: int) -> None:
    """One request where the last key tells them apart, else one with a condition for each."""
    model = Model("shared", "ORG#{text}", sort, discriminator="note")
    notes = database.repository(Note, model=model).ensure()
    database.repository(Page, model=Model("shared", "ORG#{id}", other, discriminator="page"))
    SEEN.clear()
    assert notes.put_many([Note(one, "acme") for one in "123"]).written == 3
    assert len(SEEN) == calls


def test_a_batch_does_not_write_over_another_class(database: Database) -> None:
    """Whose items lie in the same partitions."""
    notes = database.repository(Note, model=Model("shared", "ORG#{text}", "{id}", discriminator="note")).ensure()
    pages = database.repository(Page, model=Model("shared", "ORG#{id}", "USER#{id}", discriminator="page"))
    pages.put(Page("1"))
    assert len(notes.put_many([Note("USER#1", "1")]).failures) == 1
    notes.delete_many([("1", "USER#1")])
    assert pages.get("1") == Page("1")


@define
class Page:
    """Of the third shape."""

    id: str
    words: list[str] = field(factory=list)


def upgrade(item: dict[str, Any]) -> dict[str, Any]:
    """One step for each older shape."""
    if item.get("shape", 1) == 1:
        item["body"] = item.pop("text")
    item["words"] = item.pop("body").split()
    return item


@pytest.mark.parametrize("old", [{"text": "a b"}, {"body": "a b", "shape": 2}], ids=repr)
def test_every_older_shape_is_upgraded(database: Database, old: dict[str, Any]) -> None:
    """What an upgrade took out is taken out of the store when the entity is saved."""
    pages = database.repository(Page, model=Model("pages", "id", shape=3, upgrade=upgrade)).ensure()
    pages.table.put({"id": "1", **old})
    page = pages.get("1")
    assert page == Page("1", ["a", "b"])
    pages.save(page)
    assert pages.table.get(id="1") == {"id": "1", "words": ["a", "b"], "shape": 3}
    SEEN.clear()
    pages.save(pages.get("1"))
    assert SEEN == ["get"]


def test_an_update_of_an_older_shape(database: Database) -> None:
    """Means today's shape, and the version that was read."""
    model = Model("pages", "id", shape=3, upgrade=upgrade, version="version")
    pages = database.repository(Page, model=model).ensure()
    pages.table.put({"id": "1", "text": "a b"})
    found = pages.update("1", set=lambda one: evolve(one, words=one.words + ["c"]), expected_version=1)  # noqa: RUF005
    assert [found.words, pages.table.get(id="1")["words"], pages.get("1").words] == [["a", "b", "c"]] * 3
    with pytest.raises(VersionConflict):
        pages.update("1", set={"words": []}, expected_version=1)
    with pytest.raises(ItemNotFound):
        pages.update("2", set={"words": []})


def test_an_upgrade_without_a_number_sees_every_item(database: Database) -> None:
    """And tells by itself whether there is something to do; one that fails is named as the reason."""

    def split(item: dict[str, Any]) -> dict[str, Any]:
        return item if "words" in item else {**item, "words": item["text"].split()}

    pages = database.repository(Page, model=Model("pages", "id", upgrade=split)).ensure()
    pages.table.put_many([{"id": "1", "text": "a b"}, {"id": "2", "words": ["c"]}, {"id": "3"}])
    assert [pages.get("1").words, pages.get("2").words] == [["a", "b"], ["c"]]
    with pytest.raises(InvalidStoredValue, match="upgraded \\(KeyError\\)"):
        pages.get("3")


def test_snapshots_end_with_their_entities(database: Database, notes: Repository[Note]) -> None:
    """A long life of a database costs no memory."""
    snapshots = registry_of(database._pipeline)._snapshots
    kept = [notes.put(Note(f"{number}")) for number in range(10)]
    assert len(snapshots) == 10
    kept.clear()
    gc.collect()
    assert len(snapshots) == 0


@define(weakref_slot=False)
class Bare:
    """Nothing can be kept beside its objects."""

    id: str
    number: int = 0


def test_classes_without_weak_references(database: Database) -> None:
    """All fields are written when one is saved."""
    things = database.repository(Bare, model=Model("things", "id")).ensure()
    things.table.put({"id": "1", "number": 1, "extra": 2})
    thing = things.get("1")
    thing.number = 5
    things.save(thing)
    assert things.table.get(id="1") == {"id": "1", "number": 5, "extra": 2}


@frozen
class Key:
    """Nothing but its key."""

    id: str


def test_a_class_of_keys_only(database: Database) -> None:
    """There is nothing to update."""
    keys = database.repository(Key, model=Model("keys", "id")).ensure()
    assert [keys.save(Key("1")), keys.save(keys.get("1")), keys.delete("1")] == [Key("1"), Key("1"), True]


def test_a_unit_of_work(database: Database, users: Repository[User]) -> None:
    """Entities are written together, with their guards; each sees what was written before."""
    users.create(User("acme", "1", "a@x"))
    with database.transaction() as tx:
        inside = tx.repository(User)
        ann = inside.get("acme", "1")
        ann.email = "b@x"
        inside.save(ann)
        bob = inside.create(User("acme", "2", "a@x"))
        bob.nick = "Bob"
        tx.repository(User).save(bob)
        with pytest.raises(UniqueViolation):
            inside.create(User("acme", "3", "b@x"))
        assert inside.get("acme", "2").nick == "Bob"
        assert users.find("acme", "2") is None
    found = sorted((one.id, one.email, one.nick, one.version) for one in users.scan())
    assert found == [("1", "b@x", None, 2), ("2", "a@x", "Bob", 1)]


def test_a_unit_of_work_that_is_given_up(database: Database, users: Repository[User]) -> None:
    """What it did to entities is not taken for stored."""
    ann = users.create(User("acme", "1", "a@x"))
    with pytest.raises(KeyError), database.transaction() as tx:  # noqa: PT012  # the block is what is tested
        inside = tx.repository(User)
        mine = inside.get("acme", "1")
        mine.nick = ann.nick = "Annie"
        inside.save(mine)
        raise KeyError
    assert users.save(ann).nick == users.get("acme", "1").nick == "Annie"


def test_async_repositories() -> None:
    """The same, to be awaited."""

    async def run() -> list[Any]:
        async with isthmus.aconnect("memory://") as database:
            users = await database.repository(User).ensure()
            ann = await users.create(User("acme", "1", "a@x"))
            ann.email = "b@x"
            await users.save(ann)
            async with database.transaction() as tx:
                bob = await tx.repository(User).create(User("acme", "2", "a@x"))
                bob.nick = "Bob"
            query = users.query(org="acme")
            ids = [one.id async for one in query]
            pages = [len(page) async for page in query.pages(size=1)]
            return [
                ids,
                pages,
                await query.count(),
                (await users.get_many([("acme", "2")]))[0],
                await users.delete(ann),
            ]

    ids, pages, count, bob, deleted = asyncio.run(run())
    assert [ids, pages[:2], count, bob.email, deleted] == [["1", "2"], [1, 1], 2, "a@x", True]
