"""What the contract says of items holds for mapped collections too."""

from typing import ClassVar

import pytest

from isthmus_conformance.base import FakeClock
from isthmus_conformance.suites.batch import BatchSuite
from isthmus_conformance.suites.indexes import IndexesSuite
from isthmus_conformance.suites.paging import PagingSuite
from isthmus_conformance.suites.ttl import TtlSuite
from plugins.mongodb.tests.mapped_backend import MappedBackend, open_mapped
from plugins.mongodb.tests.servers import in_database


class TestMapped(PagingSuite, IndexesSuite, BatchSuite, TtlSuite):
    """Tables whose key is the ``_id``, or two fields that a unique index covers."""

    excused: ClassVar = {"test_other_types_never_expire": "it puts a set, and sets have to be declared in a mapping"}
    share = 0.15

    @pytest.fixture
    def source(self, mongodb_url: str, clock: FakeClock) -> MappedBackend:
        """A backend that makes collections as others would."""
        return open_mapped(in_database(mongodb_url), clock)
