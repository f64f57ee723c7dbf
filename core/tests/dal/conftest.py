from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.tests.dal.things import World


@pytest.fixture
def world() -> Iterator[World]:
    """DAL classes over an empty database in memory, whose hooks were not called yet."""
    with World("memory://") as world:
        yield world.ensure()
