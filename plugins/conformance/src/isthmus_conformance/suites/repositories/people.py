"""The classes that the suites of repositories store: one with everything, and two that share a table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from attrs import define, field, frozen
from hypothesis import strategies as st

from isthmus import Index, Model, Table
from isthmus_conformance.base import fresh_name
from isthmus_conformance.strategies import strings


class Colour(Enum):
    """An enumeration."""

    RED = "red"
    BLUE = 2


@frozen
class Place:
    """A nested class."""

    city: str
    lines: list[str] = field(factory=list)


@frozen
class Circle:
    """One of a union."""

    radius: int


@frozen
class Square:
    """The other one."""

    side: Decimal


@frozen
class Everything:
    """A field of each type."""

    id: str
    text: str
    number: int
    amount: Decimal
    measure: float
    truth: bool
    data: bytes
    moment: datetime
    day: date
    reference: UUID
    colour: Colour
    perhaps: str | None
    words: list[str]
    days: frozenset[date]
    numbers: set[int]
    amounts: dict[str, Decimal]
    place: Place
    places: tuple[Place, ...]
    shape: Circle | Square
    either: int | str | None


def everything_model() -> Model:
    """Under a name of its own."""
    return Model(fresh_name(), "id")


_INTEGERS = st.integers(-(10**20), 10**20)
_DECIMALS = st.decimals(-(10**9), 10**9, places=4)
_DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
_MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive
_PLACES = st.builds(Place, strings(), st.lists(strings(), max_size=2))


def everythings() -> st.SearchStrategy[Everything]:
    """Entities with a value of each type."""
    return st.builds(
        Everything,
        id=st.just("1"), text=strings(), number=_INTEGERS, amount=_DECIMALS,
        measure=st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda one: one == 0 or abs(one) > 1e-9),
        truth=st.booleans(), data=st.binary(max_size=8), moment=_MOMENTS, day=_DAYS, reference=st.uuids(),
        colour=st.sampled_from(Colour), perhaps=st.none() | strings(), words=st.lists(strings(), max_size=3),
        days=st.frozensets(_DAYS, max_size=3), numbers=st.sets(_INTEGERS, max_size=3),
        amounts=st.dictionaries(st.sampled_from(["a", "b.c", "$d"]), _DECIMALS, max_size=2), place=_PLACES,
        places=st.lists(_PLACES, max_size=2).map(tuple),
        shape=st.builds(Circle, _INTEGERS) | st.builds(Square, _DECIMALS), either=st.none() | _INTEGERS | strings(),
    )  # fmt: skip


@define
class User:
    """Shares a table with ``Order``."""

    org: str
    id: str
    email: str
    age: int = 0
    nick: str | None = None
    tags: frozenset[str] = frozenset()
    version: int = 0


@define
class Order:
    """Shares a table with ``User``; its sort key and its index are made of several fields."""

    org: str
    placed: datetime
    id: str
    status: str = "open"
    total: Decimal = Decimal(0)


@frozen
class Seat:
    """Unique in two fields together, and expiring."""

    id: str
    hall: str
    place: int
    until: datetime | None = None


def shared_table() -> Table:
    """The table of users and orders, under a name of its own."""
    index = Index("by_status", "status_pk", "status_sk")
    return Table(fresh_name(), "pk", "sk", indexes=[index], version="version")


def user_model(table: Table, **changes: Any) -> Model:
    """Users, with unique addresses."""
    return Model(table, "ORG#{org}", "USER#{id}", discriminator="user", unique=["email"], **changes)


def order_model(table: Table) -> Model:
    """Orders by time, with an index by their status."""
    index = Index("by_status", "STATUS#{status}", "{placed}")
    return Model(table, "ORG#{org}", "ORDER#{placed}#{id}", discriminator="order", indexes=[index])


def seat_model() -> Model:
    """Seats in a table of their own with a number for a key."""
    return Model(fresh_name(), "place", "id", unique=[("hall", "place")], ttl="until")


def moment(hours: int) -> datetime:
    """A moment so many hours after the start of 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
