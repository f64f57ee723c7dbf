"""The fixtures: one engine of a kind for the whole run, shared by all workers of pytest-xdist.

Loaded in every run where this package is installed, so it imports nothing heavy before a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from isthmus_engines.kinds import Kind, Running
    from isthmus_engines.shared import Engines

ENGINES = pytest.StashKey["Engines"]()
SHARED = "isthmus_engines_root"


def engines_of(config: pytest.Config) -> Engines:
    """The engines of the run: the controller's, or this process's own."""
    from isthmus_engines.shared import Engines

    if ENGINES not in config.stash:
        shared = getattr(config, "workerinput", {}).get(SHARED)
        config.stash[ENGINES] = Engines.join(Path(shared)) if shared else Engines.own()
    return config.stash[ENGINES]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the engines of the run are; the controller owns them."""
    node.workerinput[SHARED] = str(engines_of(node.config).root)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the engines with the run that owns them."""
    if ENGINES in config.stash:
        config.stash[ENGINES].close()


def running_or_skip(engines: Engines, kind: Kind) -> Running:
    """The engine of that kind. Without one the test is skipped, and fails where ``CI=true``."""
    from isthmus_engines.errors import EngineMissing

    try:
        return engines.running(kind)
    except EngineMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def running_engine(request: pytest.FixtureRequest) -> Callable[[Kind], Running]:
    """Gives the engine of a kind, started at the first use in the run: its ``url`` and its ``address``."""
    engines = engines_of(request.config)
    return lambda kind: running_or_skip(engines, kind)


@pytest.fixture(scope="session")
def mongodb_url(running_engine: Callable[[Kind], Running]) -> str:
    """The URL of a MongoDB replica set of one."""
    return running_engine("mongodb").url


@pytest.fixture(scope="session")
def mongodb_standalone_url(running_engine: Callable[[Kind], Running]) -> str:
    """The URL of a MongoDB server that belongs to no replica set."""
    return running_engine("mongodb_standalone").url


@pytest.fixture(scope="session")
def mongodb_set_url(running_engine: Callable[[Kind], Running]) -> str:
    """The URL of a MongoDB replica set of three."""
    return running_engine("mongodb_set").url


@pytest.fixture(scope="session")
def dynamodb_url(running_engine: Callable[[Kind], Running]) -> str:
    """The URL of DynamoDB Local."""
    return running_engine("dynamodb").url


@pytest.fixture(scope="session")
def moto_url(running_engine: Callable[[Kind], Running]) -> str:
    """The URL of a moto server, which speaks DynamoDB's protocol."""
    return running_engine("moto").url
