"""The contract on a backend that offers nothing but reads and swaps of single items."""

import pytest

from core.tests.fallback.keyvalue import KeyValueBackend
from isthmus_conformance.base import FakeClock
from isthmus_conformance.suites.batch import BatchSuite
from isthmus_conformance.suites.concurrency import ConcurrencySuite
from isthmus_conformance.suites.conditions import ConditionsSuite
from isthmus_conformance.suites.transactions import TransactionsSuite
from isthmus_conformance.suites.ttl import TtlSuite


class TestKeyValue(TransactionsSuite, ConcurrencySuite, ConditionsSuite, BatchSuite, TtlSuite):
    """Transactions, conditions, updates and batches are all the core's."""

    share = 0.25

    @pytest.fixture
    def source(self, clock: FakeClock) -> KeyValueBackend:
        """A store of its own for each test."""
        return KeyValueBackend(clock)
