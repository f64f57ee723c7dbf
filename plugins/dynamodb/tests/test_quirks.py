"""The emulators still have the quirks of ``quirks.py``: where one is mended, its row, and its excuses, have to go."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
import pytest

from isthmus_conformance import RULES
from plugins.dynamodb.tests.quirk_probes import Client
from plugins.dynamodb.tests.quirks import LOCAL, MOTO, Quirk


def _shown(quirks: tuple[Quirk, ...]) -> list[Any]:
    return [pytest.param(quirk, id=quirk.emulator[:40]) for quirk in quirks if quirk.shows is not None]


def _has(url: str, quirk: Quirk) -> bool:
    """Whether the emulator at a URL has the quirk."""
    client: Client = boto3.client(
        "dynamodb", endpoint_url=parse_qs(urlsplit(url).query)["endpoint"][0], region_name="eu-west-1",
        aws_access_key_id="x", aws_secret_access_key="y",
    )  # fmt: skip
    name = f"quirks-{uuid4().hex}"
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    try:
        assert quirk.shows is not None
        return quirk.shows(client, name)
    finally:
        client.delete_table(TableName=name)


@pytest.mark.parametrize("quirk", _shown(MOTO))
def test_moto_still_has_it(moto_url: str, quirk: Quirk) -> None:
    """A quirk that is gone is an excuse too many."""
    assert _has(moto_url, quirk)


@pytest.mark.parametrize("quirk", _shown(LOCAL))
def test_dynamodb_local_still_has_it(dynamodb_url: str, quirk: Quirk) -> None:
    """What the backend does about it is no longer needed for the emulator's sake once it is gone."""
    assert _has(dynamodb_url, quirk)


def test_rows_name_rules() -> None:
    """What excuses a test says which rule is not proven by it."""
    rows = (*MOTO, *LOCAL)
    assert [row.emulator for row in rows if (row.rule or row.tests) and row.rule not in RULES] == []
