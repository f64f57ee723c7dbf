"""The data sets are what the tests take them for."""

from __future__ import annotations

from decimal import Decimal

from isthmus.values import equal, item_size, normalise_item
from tests.migration.datasets import CITY_COUNTS, COMPAT_COUNT, TWICE, cities, orders
from tests.migration.edge_cases import edge_cities
from tests.migration.moving import DataSet


def test_cities_are_normal_items() -> None:
    """Of the number that is known, with exact decimals, and five that list a name twice."""
    found = list(cities("cities15000"))
    assert len({city["id"] for city in found}) == len(found) == CITY_COUNTS["cities15000"]
    assert all(equal(normalise_item(city), city) for city in found[::100])
    assert sum(type(city["latitude"]) is Decimal for city in found) > 33_000
    twice = {city["id"] for city in found if len(set(city["alternatenames"])) < len(city["alternatenames"])}  # type: ignore[arg-type]  # a list
    assert len(twice) == 5
    assert twice < TWICE


def test_nodes_are_normal_items(all_nodes: DataSet) -> None:
    """Of the number that is known; one name has values of several types, and one item has over 12 kB."""
    found = list(all_nodes.items())
    assert len({node["path"] for node in found}) == len(found) == COMPAT_COUNT
    assert all(equal(normalise_item(node), node) for node in found[::100])
    kinds = {type(browser) for node in found for browser in node["support"].values()}  # type: ignore[union-attr]  # a map
    assert kinds == {dict, list}
    assert max(map(item_size, found)) == 12_573


def test_orders_have_six_decimals() -> None:
    """In about 1 KB; no two are alike."""
    found = list(orders(300))
    assert all(sum(type(value) is Decimal for value in _numbers(order)) == 6 for order in found)
    assert all(equal(normalise_item(order), order) for order in found)
    assert {item_size(order) // 100 for order in found} <= {9, 10}
    assert len({str(order["address"]) for order in found}) == 300


def _numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [number for member in value.values() for number in _numbers(member)]
    if isinstance(value, list):
        return [number for member in value for number in _numbers(member)]
    return [value]


def test_edge_cities_are_there() -> None:
    """A list with an empty name, one with a name twice, one with 267 names."""
    found = edge_cities()
    assert found["nameless"]["alternatenames"] == [""]
    assert found["twice"]["id"] in TWICE
    assert len(found["many"]["alternatenames"]) == 267  # type: ignore[arg-type]  # a list
