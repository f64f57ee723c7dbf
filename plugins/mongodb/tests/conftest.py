"""A collection of the server for each test file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.collection import Collection

from isthmus_mongodb.values import CODEC_OPTIONS
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name


@pytest.fixture(scope="module")
def collection(mongodb_url: str) -> Iterator[Collection[dict[str, Any]]]:
    """An empty collection, read and written as the backend does it."""
    with driver(mongodb_url) as client:
        found = client[DATABASE].get_collection(fresh_name(), CODEC_OPTIONS)
        yield found
        found.drop()
