"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from tests.faults.places import Place, Way, place


@pytest.fixture
def url_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives an engine's URL, which starts it if it must be."""
    return lambda engine: str(request.getfixturevalue(f"{engine}_url"))


@pytest.fixture(params=get_args(Way))
def at(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Place]:
    """Each engine, behind a proxy."""
    with place(request.param, url_of) as found:
        yield found


@pytest.fixture(autouse=True)
def _quick_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMongo looks for a lost server at most every half second, which hundreds of lost answers can't wait for."""
    found: Any = pytest.importorskip("pymongo.common")
    monkeypatch.setattr(found, "MIN_HEARTBEAT_INTERVAL", 0.01)
