"""Repositories: classes instead of dictionaries, with the same answers on every backend (rules REP-1 to REP-11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

import pytest
from attrs import evolve, frozen

from isthmus import Capability, Database, Model, Repository
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    InvalidStoredValue,
    InvalidValue,
    IsthmusError,
    ItemNotFound,
    SeveralFound,
    UniqueViolation,
    VersionConflict,
)
from isthmus.repository import between, contains, is_in, missing, not_, present, size
from isthmus_conformance.base import START, FakeClock, Suite, fresh_name, requires
from isthmus_conformance.eventually import eventually
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.suites import people
from isthmus_conformance.suites.people import Everything, Order, Seat, User, moment
from isthmus_conformance.together import one, together

WRITERS = 4


class MakeRepository(Protocol):
    """Makes a repository whose tables exist, and are dropped at the end."""

    def __call__(self, kind: type[Any], model: Model) -> Repository[Any]: ...


class RepositorySuite(Suite):
    """What the suites of repositories share."""

    @pytest.fixture
    def make_repository(self, database: Database) -> Iterator[MakeRepository]:
        """Creates the tables of repositories."""
        made: list[Repository[Any]] = []

        def make(kind: type[Any], model: Model) -> Repository[Any]:
            repository: Repository[Any] = database.repository(kind, model=model).ensure()
            made.append(repository)
            return repository

        yield make
        for repository in made:
            _drop(repository)

    @pytest.fixture
    def users(self, make_repository: MakeRepository) -> Repository[User]:
        """Users, whose table orders may share."""
        return make_repository(User, people.user_model(people.shared_table()))

    @pytest.fixture
    def orders(self, users: Repository[User], database: Database) -> Repository[Order]:
        """Orders in the table of the users."""
        return database.repository(Order, model=people.order_model(users.schema))


def _drop(repository: Repository[Any]) -> None:
    try:
        repository.drop()
    except IsthmusError:  # another repository of the same table was first
        return


class EntitySuite(RepositorySuite):
    """Entities and their items."""

    @pytest.fixture
    def things(self, make_repository: MakeRepository) -> Repository[Everything]:
        """One table for all examples."""
        return make_repository(Everything, people.everything_model())

    @rule("REP-1", "REP-2")
    @given(share=0.3, entities=people.everythings())
    def test_entities_come_back_equal(self, things: Repository[Everything], entities: Everything) -> None:
        """Whatever their fields hold, through every read."""
        things.put(entities)
        found = [things.get("1"), things.query(id="1").one(), things.get_many(["1"])[0]]
        assert [[type(one) for one in found], found] == [[Everything] * 3, [entities] * 3]

    @rule("REP-1", "REP-5")
    @given(share=0.2, entities=people.everythings())
    def test_conditions_find_what_they_are_of(self, things: Repository[Everything], entities: Everything) -> None:
        """A constant is stored as its field is."""
        things.put(entities)
        same = things.query(id="1").where(
            lambda one: (one.number == entities.number) & (one.amount == entities.amount)
            & (one.truth == entities.truth) & (one.moment == entities.moment) & (one.day >= entities.day)
            & (one.reference == entities.reference)
            & (one.colour == entities.colour) & (one.perhaps == entities.perhaps) & (one.words == entities.words)
            & (one.days == entities.days) & (one.place == entities.place) & (one.place.city == entities.place.city)
        )  # fmt: skip
        assert [same.count(), things.query(id="1").where(lambda one: one.moment > entities.moment).count()] == [1, 0]

    @rule("REP-2")
    def test_nothing_is_stored_for_none(self, users: Repository[User]) -> None:
        """Nor for an empty set, nor for a version that was never counted."""
        users.create(User("acme", "1", "a@x"))
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        assert stored == {
            "pk": "ORG#acme", "sk": "USER#1", "org": "acme", "id": "1", "email": "a@x", "age": 0, "type": "user",
            "version": 1,
        }  # fmt: skip

    @rule("REP-4")
    def test_what_does_not_fit_is_told(self, users: Repository[User]) -> None:
        """Field, stored type and wanted type, but never the value."""
        wrong: list[tuple[dict[str, Any], list[str]]] = [
            ({"age": "secret"}, ["'age'", "User", "a string", "int"]), ({"age": Decimal("1.5")}, ["a number", "int"]),
            ({"email": None}, ["'email'", "a null", "str"]), ({"tags": frozenset({1})}, ["'tags", "a number", "str"]),
            ({"tags": "secret"}, ["'tags'", "a string", "frozenset[str]"]),
        ]  # fmt: skip
        reads: list[Callable[[], Any]] = [lambda: users.get("acme", "1"), lambda: users.query(org="acme").first()]
        for stored, told in wrong:
            users.table.put({**users.to_item(User("acme", "1", "a@x")), **stored})
            for read in reads:
                with pytest.raises(InvalidStoredValue) as caught:
                    read()
                assert [part for part in [*told, "secret"] if part not in str(caught.value)] == ["secret"]
            users.table.delete(pk="ORG#acme", sk="USER#1")

    @rule("REP-10")
    def test_older_shapes_are_upgraded_when_read(self, make_repository: MakeRepository) -> None:
        """And stored so when the entity is saved; what nobody knows is kept."""
        people_ = make_repository(Named, Model(fresh_name(), "id", shape=2, upgrade=_split_name))
        old = {"id": "1", "name": "Ann Lee", "extra": 1}
        people_.table.put(old)
        ann = people_.get("1")
        assert [ann, people_.table.get(id="1")] == [Named("1", "Ann", "Lee"), old]
        people_.save(ann)
        assert people_.table.get(id="1") == {"id": "1", "first": "Ann", "last": "Lee", "extra": 1, "shape": 2}

    @rule("REP-10")
    def test_later_shapes_are_refused(self, make_repository: MakeRepository) -> None:
        """An older program must not take them for its own."""
        people_ = make_repository(Named, Model(fresh_name(), "id", shape=2, upgrade=_split_name))
        people_.table.put({"id": "1", "first": "Ann", "last": "Lee", "shape": 3})
        with pytest.raises(InvalidStoredValue):
            people_.get("1")


@frozen
class Named:
    """Once had one name."""

    id: str
    first: str
    last: str


def _split_name(item: dict[str, Any]) -> dict[str, Any]:
    first, last = item.pop("name").split()
    return {**item, "first": first, "last": last}


class SavingSuite(RepositorySuite):
    """Writes."""

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_save_keeps_what_it_does_not_know(self, users: Repository[User]) -> None:
        """Only what changed is written."""
        users.create(User("acme", "1", "a@x", tags=frozenset({"old"})))
        users.table.update(pk="ORG#acme", sk="USER#1", set={"extra": [1]})
        ann = users.get(org="acme", id="1")
        ann.age, ann.tags, ann.nick = 30, frozenset(), "Annie"
        saved = users.save(ann)
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        assert [saved.version, stored.get("tags"), stored["extra"], stored["nick"]] == [3, None, [1], "Annie"]
        assert users.get("acme", "1") == saved

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_stale_entities_are_refused(self, users: Repository[User]) -> None:
        """The error carries the item that is there, and nothing is written."""
        users.create(User("acme", "1", "a@x"))
        mine, theirs = users.get("acme", "1"), users.get("acme", "1")
        theirs.age, mine.age = 40, 50
        users.save(theirs)
        with pytest.raises(VersionConflict) as caught:
            users.save(mine)
        assert [(caught.value.current or {}).get("age"), users.get("acme", "1").age] == [40, 40]

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_classes_without_a_version_field_are_checked_too(self, orders: Repository[Order]) -> None:
        """The version stays beside the entity."""
        orders.create(Order("acme", moment(1), "1"))
        mine, theirs = orders.query(org="acme").one(), orders.query(org="acme").one()
        theirs.total = Decimal("9.5")
        orders.save(theirs)
        mine.status = "lost"
        with pytest.raises(VersionConflict):
            orders.save(mine)
        assert orders.query(org="acme").one() == theirs

    @rule("REP-7")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_a_deleted_entity_is_not_saved(self, users: Repository[User]) -> None:
        """It does not come back."""
        ann = users.create(User("acme", "1", "a@x"))
        assert [users.delete(ann), users.delete(ann)] == [True, False]
        ann.age = 3
        with pytest.raises((VersionConflict, ItemNotFound)):
            users.save(ann)
        assert users.find("acme", "1") is None

    @rule("REP-7", "REP-5")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_updates_by_fields(self, users: Repository[User]) -> None:
        """Values, sums and conditions are those of the class."""
        users.create(User("acme", "1", "a@x", age=20, tags=frozenset({"a"})))
        users.update("acme", "1", set=lambda u: evolve(u, age=u.age + 1, nick="Annie"), add={"tags": {"b"}})
        found = users.update("acme", "1", set={"age": 30}, remove="nick", when=lambda u: u.age == 21)
        assert found == User("acme", "1", "a@x", 30, None, frozenset({"a", "b"}), version=3) == users.get("acme", "1")
        with pytest.raises(ConditionFailed):
            users.update("acme", "1", set={"age": 1}, when=lambda u: u.age == 21)
        for wrong in ({"age": "x"}, {"agee": 1}):
            with pytest.raises(InvalidArgument):
                users.update("acme", "1", set=wrong)

    @rule("REP-8")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE, Capability.SECONDARY_INDEX)
    def test_index_keys_follow_their_fields(self, orders: Repository[Order]) -> None:
        """However a field is changed."""
        orders.create(Order("acme", moment(1), "1"))
        orders.create(Order("acme", moment(2), "2"))
        orders.update("acme", moment(1), "1", set={"status": "paid"})
        late = orders.get("acme", moment(2), "2")
        late.status = "paid"
        orders.save(late)
        paid = orders.query(index="by_status", status="paid").where(lambda one: one.placed >= moment(1))
        eventually(["1", "2"], lambda: [one.id for one in paid])
        eventually(0, lambda: orders.query(index="by_status", status="open").count())

    @rule("REP-6")
    def test_classes_share_a_table(self, users: Repository[User], orders: Repository[Order]) -> None:
        """Each sees its own items, wherever they lie."""
        users.create(User("acme", "1", "a@x"))
        orders.create(Order("acme", moment(1), "1"))
        counts = [users.table.scan().count(), users.scan().count(), orders.scan().count()]
        assert [*counts, users.query("acme").count(), orders.query("acme").one().id] == [2, 1, 1, 1, "1"]

    @rule("REP-6")
    @requires(Capability.UPDATE, Capability.CONDITIONAL_WRITE)
    def test_no_class_touches_items_of_another(self, users: Repository[User]) -> None:
        """Under a key of its own that another class has, nothing is found, written or removed."""
        other = {"pk": "ORG#acme", "sk": "USER#1", "type": "robot", "version": 7}
        users.table.create(other)
        stored = users.table.get(pk="ORG#acme", sk="USER#1")
        with pytest.raises(AlreadyExists):
            users.put(User("acme", "1", "a@x"))
        with pytest.raises(AlreadyExists):
            users.update("acme", "1", set={"age": 3})
        assert [users.find("acme", "1"), users.delete("acme", "1")] == [None, False]
        assert users.table.get(pk="ORG#acme", sk="USER#1") == stored


class UniqueSuite(RepositorySuite):
    """Values that no two items share."""

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_a_taken_value_is_refused(self, users: Repository[User]) -> None:
        """On every write, and nothing of it is written."""
        users.create(User("acme", "1", "a@x"))
        bob = users.create(User("acme", "2", "b@x"))
        writes: list[Callable[[], Any]] = [
            lambda: users.create(User("acme", "3", "a@x")), lambda: users.put(User("acme", "3", "a@x")),
            lambda: users.save(evolve(bob, email="a@x", age=1), since=bob),
            lambda: users.update("acme", "2", set={"email": "a@x", "age": 1}),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(UniqueViolation) as caught:
                write()
            assert [caught.value.constraint, "a@x" in str(caught.value)] == [("email",), False]
        assert sorted((one.id, one.email, one.age) for one in users.scan()) == [("1", "a@x", 0), ("2", "b@x", 0)]

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_a_changed_value_is_free_again(self, users: Repository[User]) -> None:
        """And the new one is taken."""
        ann = users.create(User("acme", "1", "a@x"))
        ann.email = "b@x"
        users.save(ann)
        users.create(User("acme", "2", "a@x"))
        users.update("acme", "1", set={"email": "c@x"})
        users.put(users.create(User("acme", "3", "b@x")))
        with pytest.raises(UniqueViolation):
            users.create(User("acme", "4", "c@x"))
        users.delete("acme", "1")
        users.create(User("acme", "4", "c@x"))
        assert sorted((one.id, one.email) for one in users.scan()) == [("2", "a@x"), ("3", "b@x"), ("4", "c@x")]

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE)
    def test_one_concurrent_creator_wins(self, users: Repository[User]) -> None:
        """Of several that want one value."""
        scripts = [one("create", User("acme", f"{number}", "a@x")) for number in range(WRITERS)]
        outcomes = together(users, scripts)  # type: ignore[arg-type]  # a repository has such methods too
        won = [outcome.id for outcome in outcomes if isinstance(outcome, User)]
        others = {type(outcome).__name__ for outcome in outcomes if not isinstance(outcome, User)}
        assert [len(won), others - {"UniqueViolation", "Conflict"}] == [1, set()]
        assert [one.id for one in users.scan()] == won

    @rule("REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.TTL)
    def test_guards_expire_with_their_items(self, make_repository: MakeRepository, clock: FakeClock) -> None:
        """A value is free when the item that had it has expired; tables may have any keys."""
        seats = make_repository(Seat, people.seat_model())
        soon = moment(0) + timedelta(seconds=START + 100 - moment(0).timestamp())
        seats.create(Seat("1", "big", 7, soon))
        with pytest.raises(UniqueViolation):
            seats.create(Seat("2", "big", 7))
        assert [seats.get(place=7, id="1").until, seats.scan().count()] == [soon, 1]
        clock.advance(101)
        seats.create(Seat("2", "big", 7))
        with pytest.raises(UniqueViolation):
            seats.create(Seat("3", "big", 7))
        assert [one.id for one in seats.scan()] == ["2"]


class UnitSuite(RepositorySuite):
    """Repositories in units of work."""

    @rule("REP-12", "REP-9")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_entities_are_written_together(
        self, users: Repository[User], orders: Repository[Order], database: Database
    ) -> None:
        """A value that one gives up another one takes, in one transaction."""
        users.create(User("acme", "1", "a@x"))
        with database.transaction() as unit:
            inside = unit.repository(User, model=users_model(users))
            ann = inside.get("acme", "1")
            ann.email, ann.age = "b@x", 40
            inside.save(ann)
            inside.create(User("acme", "2", "a@x"))
            unit.repository(Order, model=people.order_model(orders.schema)).put(Order("acme", moment(1), "1"))
            with pytest.raises(UniqueViolation):
                inside.create(User("acme", "3", "b@x"))
        found = sorted((one.id, one.email, one.age, one.version) for one in users.scan())
        assert [found, orders.scan().count()] == [[("1", "b@x", 40, 2), ("2", "a@x", 0, 1)], 1]

    @rule("REP-12", "REP-7")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_nothing_of_a_unit_that_failed_is_stored(self, users: Repository[User], database: Database) -> None:
        """And an entity that was loaded outside is saved as if there had been none."""
        ann = users.create(User("acme", "1", "a@x"))
        with pytest.raises(KeyError), database.transaction() as unit:  # the block is what is tested
            inside = unit.repository(User, model=users_model(users))
            inside.update("acme", "1", set={"email": "b@x"})
            inside.save(evolve(ann, age=50))
            raise KeyError
        assert users.get("acme", "1") == ann
        ann.age = 50
        users.save(ann)
        assert [users.get("acme", "1").age, users.create(User("acme", "2", "b@x")).id] == [50, "2"]


def users_model(users: Repository[User]) -> Model:
    """The model of users in a table that there is."""
    return people.user_model(users.schema)


class QueryingSuite(RepositorySuite):
    """Queries."""

    @pytest.fixture
    def placed(self, orders: Repository[Order]) -> Repository[Order]:
        """Orders of six hours, in a partition with a user."""
        for number in range(6):
            orders.put(Order("acme", moment(number), f"{number}", "paid" if number % 2 else "open", Decimal(number)))
        return orders

    @rule("REP-11")
    def test_conditions_on_a_templates_fields_narrow(self, placed: Repository[Order], users: Repository[User]) -> None:
        """They give what a filter would give, in order, without looking at the rest."""
        users.create(User("acme", "1", "a@x"))
        late, early = moment(3), moment(1)
        wanted: list[tuple[Any, list[str]]] = [
            (lambda one: one.placed >= late, ["3", "4", "5"]), (lambda one: one.placed > late, ["4", "5"]),
            (lambda one: one.placed < early, ["0"]), (lambda one: one.placed <= early, ["0", "1"]),
            (lambda one: one.placed == late, ["3"]), (lambda one: between(one.placed, early, late), ["1", "2", "3"]),
            (lambda one: (one.placed > early) & (one.placed < late), ["2"]), (lambda one: one.id == "4", ["4"]),
        ]  # fmt: skip
        found = [[one.id for one in placed.query(org="acme").where(condition)] for condition, _ids in wanted]
        assert found == [ids for _condition, ids in wanted]
        page = placed.query(org="acme").where(lambda one: one.placed >= late).page(size=10)
        assert [len(page.items), page.examined <= 4] == [3, True]

    @rule("REP-11")
    def test_keys_of_a_query(self, placed: Repository[Order]) -> None:
        """Fields of the sort key from the first one on; others are refused."""
        assert [one.id for one in placed.query(org="acme", placed=moment(2))] == ["2"]
        assert placed.query("acme", moment(2), "2").one().total == 2
        for wrong in ({"org": "acme", "id": "2"}, {"placed": moment(2)}, {"org": "acme", "status": "open"}):
            with pytest.raises(InvalidArgument):
                placed.query(**wrong)

    @rule("REP-11", "REP-5")
    def test_what_a_query_gives(self, placed: Repository[Order]) -> None:
        """Pages, the first one, the only one, all, a count, dictionaries."""
        query = placed.query(org="acme").where(lambda one: one.status == "paid")
        first = query.page(size=2)
        rest = query.page(size=2, cursor=first.cursor)
        assert [[one.id for one in page] for page in (first, rest)] == [["1", "3"], ["5"]]
        assert [one.id for one in query.descending().limit(2).all()] == ["5", "3"]
        assert [query.count(), [item["id"] for item in query.as_dicts()]] == [3, ["1", "3", "5"]]
        assert [(query.first() or Order("", moment(0), "")).id, placed.query(org="none").first()] == ["1", None]
        with pytest.raises(SeveralFound):
            query.one()
        with pytest.raises(ItemNotFound):
            placed.query(org="none").one()

    @rule("REP-5")
    def test_recorded_conditions(self, users: Repository[User]) -> None:
        """Operators and functions mean what they mean for Python values."""
        for number, nick in enumerate([None, "x", "xy", None]):
            users.put(User("acme", f"{number}", f"{number}@x", number * 10, nick, frozenset({f"t{number}"})))
        query = users.query(org="acme")
        wanted: list[tuple[Any, str]] = [
            (lambda u: u.nick == None, "03"), (lambda u: u.nick != None, "12"),  # noqa: E711  # recorded
            (lambda u: missing(u.nick), "03"),
            (lambda u: not_(u.age >= 20), "01"), (lambda u: is_in(u.age, [0, 30]), "03"),
            (lambda u: contains(u.tags, "t2"), "2"), (lambda u: size(u.tags) == 1, "0123"),
            (lambda u: present(u.nick).startswith("x") & (u.age < 20), "1"), (lambda u: u.tags == frozenset(), ""),
            (lambda u: (u.age == 0) | (u.email == "3@x"), "03"), (lambda u: u.id == u.nick, ""),
        ]  # fmt: skip
        found = ["".join(one.id for one in query.where(condition)) for condition, _ids in wanted]
        assert found == [ids for _condition, ids in wanted]

    @rule("REP-5")
    def test_what_is_no_condition_is_refused(self, database: Database) -> None:
        """Before anything is sent."""
        query = database.repository(User, model=people.user_model(people.shared_table())).query(org="acme")
        wrong: list[Any] = [
            lambda u: (u.age > 1) and (u.age < 9), lambda u: 1 < u.age < 9, lambda u: not u.age, lambda u: u.agee > 1,
            lambda u: u.age == "x", lambda u: u.age, lambda u: u.age is None, lambda _u: True, lambda u: "a" in u.tags,
            lambda u: len(u.tags) > 1,
        ]  # fmt: skip
        for condition in wrong:
            with pytest.raises(InvalidArgument):
                query.where(condition)


class DeclaringSuite(RepositorySuite):
    """What is refused when a repository is asked for."""

    @rule("REP-3")
    def test_discriminators_are_different(self, users: Repository[User], database: Database) -> None:
        """Two classes of one table must be told apart."""
        with pytest.raises(InvalidArgument, match="discriminator"):
            database.repository(Order, model=Model(users.schema, "{org}", "{id}", discriminator="user"))

    @rule("REP-3")
    def test_keys_name_fields(self, database: Database) -> None:
        """That exist, and can be part of a key."""
        for keys in [("nothing",), ("ORG#{nothing}",), ("ORG#",), ("{org}{id}",), ("nick",), ("tags",)]:
            with pytest.raises(InvalidArgument, match="User"):
                database.repository(User, model=Model(fresh_name(), *keys))

    @rule("REP-3")
    def test_a_wrong_value_is_refused(self, users: Repository[User]) -> None:
        """Nothing is written that could not be read."""
        with pytest.raises(InvalidValue, match="'age' of User takes int"):
            users.create(User("acme", "1", "a@x", age="x"))  # type: ignore[arg-type]  # wrong on purpose
        assert users.find("acme", "1") is None


class RepositoriesSuite(EntitySuite, SavingSuite, UniqueSuite, UnitSuite, QueryingSuite, DeclaringSuite):
    """All of it."""
