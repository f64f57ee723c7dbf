"""Queries of repositories (rules REP-5 and REP-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from isthmus import Database, Repository
from isthmus.errors import InvalidArgument, ItemNotFound, SeveralFound
from isthmus.repository import between, contains, is_in, missing, not_, present, size
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.base import RepositorySuite
from isthmus_conformance.suites.repositories.people import Order, User, moment


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
