"""Every generated history means the same on memory, SQLite, DynamoDB Local and MongoDB."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus_conformance.differential import assert_same
from isthmus_conformance.profiles import chosen
from tests.differential.conftest import IN_CI, WHILE_CODING

STEPS = 30
PARTS = 4
"""Parts of equal size, each with a seed of its own, which several workers share."""


@pytest.fixture
def number(request: pytest.FixtureRequest) -> int:
    """How many histories one part runs."""
    asked = request.config.getoption("histories", None)
    return int(asked or (WHILE_CODING if chosen() == "dev" else IN_CI)) // PARTS


@pytest.fixture(params=range(PARTS))
def seed(request: pytest.FixtureRequest) -> int:
    """Where the generator of one part starts."""
    return int(request.config.getoption("histories_seed", 0)) * PARTS + int(request.param)


@pytest.fixture
def progress(number: int, capsys: pytest.CaptureFixture[str]) -> Callable[[], None]:
    """Prints how far the part is, ten times."""
    count = itertools.count(1)

    def step() -> None:
        done = next(count)
        if done % max(50, number // 10) == 0:
            with capsys.disabled():
                sys.stderr.write(f"{done} histories of {number}\n")

    return step


@pytest.mark.slow
def test_every_history_means_the_same_everywhere(
    tmp_path: Path, dynamodb_url: str, mongodb_url: str, number: int, seed: int, progress: Callable[[], None]
) -> None:
    """Answers, images, errors with what they carry, pages and their borders; a difference is shown at its shortest."""
    sources = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{tmp_path}/data.db?synchronous=off",
        "dynamodb": dynamodb_url,
        "mongodb": mongodb_url,
    }
    assert_same(sources, steps=STEPS, number=number, seed=seed, progress=progress)
