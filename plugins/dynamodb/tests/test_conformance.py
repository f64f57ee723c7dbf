"""The DynamoDB backend fulfils the contract on Amazon's own emulator, on both transports, and on moto."""

from typing import ClassVar

import pytest

from isthmus_conformance import BackendSuite
from plugins.dynamodb.tests.quirks import LOCAL, MOTO, excuses


class TestDynamoDBLocal(BackendSuite):
    """DynamoDB Local, on the transport that is the default."""

    share = 0.2

    excused: ClassVar = excuses(LOCAL)

    @pytest.fixture
    def source(self, dynamodb_url: str) -> str:
        """A server that all tests share; each has tables of its own."""
        return dynamodb_url


class TestBoto3Transport(BackendSuite):
    """DynamoDB Local, through the plain boto3 client."""

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
