"""The MongoDB backend fulfils the contract on real servers."""

import pytest

from isthmus_conformance import BackendSuite
from plugins.mongodb.tests.servers import in_database


class TestReplicaSet(BackendSuite):
    """A replica set of one: everything that MongoDB offers."""

    @pytest.fixture
    def source(self, mongodb_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return in_database(mongodb_url)


class TestStandalone(BackendSuite):
    """A server that belongs to no replica set, so it has no transactions."""

    share = 0.25

    @pytest.fixture
    def source(self, mongodb_standalone_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return in_database(mongodb_standalone_url)
