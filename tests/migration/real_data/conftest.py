"""``--full-data``, and the real data sets that the tests move."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from functools import partial

import pytest
from attrs import evolve

from isthmus.schema import Table
from isthmus_engines.errors import EngineMissing
from tests.migration.datasets import CITIES, COMPAT, CitiesOf, cities, compat_file, compat_nodes, names_as_set, with_set
from tests.migration.moving import DataSet, Stores, drop


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, which exists where this folder is named on the command line."""
    parser.addoption("--full-data", action="store_true", help="move all 234,908 cities, not only 34,006")


@pytest.fixture
def cities_of(request: pytest.FixtureRequest) -> CitiesOf:
    """Which cities the tests move."""
    return "cities500" if request.config.getoption("full_data", default=False) else "cities15000"


@pytest.fixture
def all_cities(cities_of: CitiesOf) -> DataSet:
    """Cities, whose lists of names become sets on their way."""
    return DataSet(CITIES, partial(cities, cities_of), with_set, names_as_set(duplicates="drop"))


@pytest.fixture
def all_nodes() -> DataSet:
    """What browsers support. Where it can't be downloaded the test is skipped, and fails where ``CI=true``."""
    try:
        compat_file()
    except EngineMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return DataSet(COMPAT, compat_nodes)


@pytest.fixture
def stores(dynamodb_url: str, mongodb_url: str) -> Iterator[Stores]:
    """DynamoDB Local and MongoDB, with names for tables that no other test uses."""
    made: set[str] = set()

    def named(table: Table) -> Table:
        name = f"{table.name}-{secrets.token_hex(4)}"
        made.add(name)
        return evolve(table, name=name)

    yield Stores(dynamodb_url, mongodb_url, named)
    for url in (dynamodb_url, mongodb_url):
        drop(url, made)
