"""Replica sets of a test's own, for faults that would meet other tests on a shared server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from isthmus_engines.errors import EngineMissing
from isthmus_engines.mongodb_set import MongoDBSet, mongodb_set


@contextmanager
def own_set(members: int) -> Iterator[MongoDBSet]:
    """A set that runs inside the block. Without MongoDB the test is skipped, and fails where ``CI=true``."""
    try:
        with mongodb_set(members) as found:
            yield found
    except EngineMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
