"""The emulators still have the quirks that the kit is excused for: where one is mended, its row has to go."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
import pytest

from plugins.dynamodb.tests.quirks import LOCAL, MOTO, Client, Quirk


def plain_client(url: str) -> Client:
    """A plain client of an emulator."""
    endpoint = parse_qs(urlsplit(url).query)["endpoint"][0]
    return boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y",
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(moto_url: str) -> Client:
    """A plain client of moto."""
    return plain_client(moto_url)


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    """The name of an empty table."""
    name = f"quirks-{uuid4().hex}"
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    yield name
    client.delete_table(TableName=name)


@pytest.mark.parametrize("quirk", MOTO, ids=lambda quirk: quirk.emulator[:40])
def test_moto_still_has_it(client: Client, table: str, quirk: Quirk) -> None:
    """A quirk that is gone is an excuse too many: remove its row from ``quirks.py``."""
    assert quirk.shows(client, table)


@pytest.mark.parametrize("quirk", LOCAL, ids=lambda quirk: quirk.emulator[:40])
def test_dynamodb_local_still_has_it(dynamodb_url: str, quirk: Quirk) -> None:
    """As for moto."""
    assert quirk.shows(plain_client(dynamodb_url), f"quirks-{uuid4().hex}")
