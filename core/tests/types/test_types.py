"""Types beyond the portable ones, as converters store them (rules TYP-1, TYP-2, BIN-5)."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

import isthmus
from isthmus.errors import InvalidValue
from isthmus.types import new_converter, timestamp, utc_moment, utc_text

MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]))


class Colour(Enum):
    """An enumeration."""

    RED = "red"


@frozen
class Thing:
    """A model with types that no store knows."""

    id: UUID
    when: datetime
    day: date
    colour: Colour
    price: Decimal
    data: bytes


@given(MOMENTS)
def test_text_gives_the_moment_back(moment: datetime) -> None:
    """No microsecond and no zone is lost."""
    try:
        text = utc_text(moment)
    except OverflowError:
        return
    assert utc_moment(text) == moment
    assert len(text) == len("YYYY-MM-DDTHH:MM:SS.ffffffZ")


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=6))
def test_order_of_texts_is_order_of_time(moments: list[datetime]) -> None:
    """Sorting stored texts sorts by time, also in early years."""
    assert sorted(map(utc_text, moments)) == list(map(utc_text, sorted(moments)))


def test_naive_datetime_is_refused() -> None:
    """A datetime without a zone is ambiguous."""
    with pytest.raises(InvalidValue, match="without a time zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point


def test_damaged_text_is_refused() -> None:
    """Only the fixed form is read."""
    with pytest.raises(InvalidValue, match="not of the form"):
        utc_moment("2026-01-01")


def test_timestamp_of_the_epoch() -> None:
    """Seconds since the epoch become the fixed form."""
    assert timestamp(0.0) == "1970-01-01T00:00:00.000000Z"


def test_converter_round_trip_through_a_database() -> None:
    """An attrs object survives a store as portable values."""
    thing = Thing(UUID(int=7), datetime(2026, 1, 2, 3, tzinfo=UTC), date(2026, 1, 2), Colour.RED, Decimal("1.5"), b"\0")
    converter = new_converter()
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id").ensure()
        table.put(converter.unstructure(thing))
        stored = table.get(id=str(UUID(int=7)))
    assert stored == {
        "id": str(UUID(int=7)),
        "when": "2026-01-02T03:00:00.000000Z",
        "day": "2026-01-02",
        "colour": "red",
        "price": Decimal("1.5"),
        "data": b"\0",
    }
    assert converter.structure(stored, Thing) == thing
