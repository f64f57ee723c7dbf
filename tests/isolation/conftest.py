"""The stores under test, and the options ``--isolation-rounds`` and ``--isolation-seed``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import pytest

from isthmus import Backend, connect

Store = Literal["memory", "sqlite", "dynamodb", "mongodb", "mongodb_standalone"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which exist where this folder is named on the command line."""
    parser.addoption("--isolation-rounds", type=int, default=1, help="how many histories of each kind on each store")
    parser.addoption("--isolation-seed", type=int, default=0, help="the seed of the first of them")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds of a test's histories."""
    first = int(request.config.getoption("isolation_seed", 0))
    return range(first, first + int(request.config.getoption("isolation_rounds", 1)))


@pytest.fixture(params=get_args(Store))
def store(request: pytest.FixtureRequest) -> Store:
    """Each store."""
    found: Store = request.param
    return found


@pytest.fixture
def opened(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Backend]:
    """Opens the store; whoever does so closes it."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/data.db?synchronous=off"}
    url = urls.get(store) or str(request.getfixturevalue(f"{store}_url"))
    return lambda: connect(url).backend
