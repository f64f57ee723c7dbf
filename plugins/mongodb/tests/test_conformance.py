"""The MongoDB backend fulfils the contract on real servers."""

from typing import ClassVar

import pytest
from bson import ObjectId

from isthmus import BoundTable
from isthmus_conformance import BackendSuite
from isthmus_conformance.suites.foreign import Foreign, StoreForeign
from plugins.mongodb.tests.servers import driver, in_database


def storing_object_ids(url: str) -> StoreForeign:
    """Stores documents as any client of MongoDB may, with an ObjectId deep inside."""

    def store(table: BoundTable) -> Foreign:
        with driver(url) as client:
            client.get_default_database()[table.name].insert_one(
                {"_id": {"id": "theirs"}, "fine": 1, "made": {"by": [ObjectId()]}}
            )
        return Foreign("theirs", "made.by[0]", "ObjectId")

    return store


class TestReplicaSet(BackendSuite):
    """A replica set of one: everything that MongoDB offers."""

    share = 0.2

    @pytest.fixture
    def source(self, mongodb_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return in_database(mongodb_url)

    @pytest.fixture
    def foreign(self, mongodb_url: str) -> StoreForeign:
        """An ObjectId."""
        return storing_object_ids(in_database(mongodb_url))


LOST_ABOVE = "the core runs transactions here, so answers are lost below it: the fault tests do that at every step"


class TestStandalone(BackendSuite):
    """A server that belongs to no replica set: it has no transactions, so the core runs them."""

    excused: ClassVar = {
        "test_a_failed_transaction_is_no_unknown_one": LOST_ABOVE,
        "test_an_applied_write_is_resolved[transaction]": LOST_ABOVE,
        **{
            f"test_a_write_is_applied_once[transaction-{applied}-{times}]": LOST_ABOVE
            for applied in (True, False)
            for times in (1, 3)
        },
    }
    share = 0.1

    @pytest.fixture
    def source(self, mongodb_standalone_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return in_database(mongodb_standalone_url)

    @pytest.fixture
    def foreign(self, mongodb_standalone_url: str) -> StoreForeign:
        """An ObjectId."""
        return storing_object_ids(in_database(mongodb_standalone_url))
