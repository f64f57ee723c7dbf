"""The DynamoDB backend fulfils the contract on Amazon's own emulator, on both transports, and on moto."""

from typing import ClassVar

import pytest

from isthmus_conformance import BackendSuite
from isthmus_conformance.suites.batch import BatchSuite
from isthmus_conformance.suites.capabilities import CapabilitiesSuite
from isthmus_conformance.suites.concurrency import ConcurrencySuite
from isthmus_conformance.suites.errors import ErrorsSuite
from isthmus_conformance.suites.life_cycle import LifeCycleSuite
from isthmus_conformance.suites.limits import LimitsSuite
from isthmus_conformance.suites.paging import PagingSuite
from isthmus_conformance.suites.repeats import RepeatSuite
from isthmus_conformance.suites.resolving import ResolveSuite
from isthmus_conformance.suites.transactions import TransactionsSuite
from isthmus_conformance.suites.values import ValuesSuite
from plugins.dynamodb.tests.quirks import LOCAL, MOTO, excuses


class TestDynamoDBLocal(BackendSuite):
    """DynamoDB Local, on the transport that is the default."""

    share = 0.2

    excused: ClassVar = excuses(LOCAL)

    @pytest.fixture
    def source(self, dynamodb_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return dynamodb_url


class TestBoto3Transport(
    ValuesSuite,
    PagingSuite,
    BatchSuite,
    RepeatSuite,
    ResolveSuite,
    TransactionsSuite,
    ErrorsSuite,
    ConcurrencySuite,
    LifeCycleSuite,
    CapabilitiesSuite,
    LimitsSuite,
):
    """DynamoDB Local, through the plain boto3 client: what a transport carries, repeats, translates and closes.

    Conditions, updates and what the core builds of requests are the same requests on both transports.
    """

    excused: ClassVar = excuses(LOCAL)
    share = 0.1

    @pytest.fixture
    def source(self, dynamodb_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return f"{dynamodb_url}&transport=boto3"


class TestMoto(BackendSuite):
    """moto, which is quick, and less exact than DynamoDB Local."""

    excused: ClassVar = excuses(MOTO)
    share = 0.1

    @pytest.fixture
    def source(self, moto_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return moto_url
