"""The stores under test, and the options ``--isolation-rounds`` and ``--isolation-seed``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from core.tests.fallback.keyvalue import KeyValueBackend
from isthmus import Backend, connect
from isthmus.errors import Unavailable

Store = Literal["memory", "sqlite", "dynamodb", "mongodb", "mongodb_standalone", "keyvalue"]
"""Over the last two the core does the transactions."""


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
    """Opens the store; whoever does so closes it. Transactions of the core are not around it yet."""
    if store == "keyvalue":
        return lambda: KeyValueBackend(time.time)
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/data.db?synchronous=off"}
    url = urls.get(store) or str(request.getfixturevalue(f"{store}_url"))

    def opened() -> Backend:
        backend = connect(url).backend
        inner: Backend = getattr(backend, "inner", backend)
        return inner

    return opened


@pytest.fixture
def lost(store: Store) -> Callable[[Any], Exception]:
    """What the store's driver raises where an answer is lost."""
    if store == "dynamodb":
        return _lost_by_dynamodb
    if store.startswith("mongodb"):
        return _lost_by_mongodb
    return lambda _request: Unavailable("of the test", maybe_applied=True)


def _lost_by_dynamodb(request: Any) -> Exception:
    from isthmus_dynamodb.native import AnswerLost

    error = AnswerLost("of the test")
    error.action = getattr(request, "action", None)
    return error


def _lost_by_mongodb(_request: Any) -> Exception:
    from pymongo.errors import AutoReconnect

    return AutoReconnect("of the test")
