"""The checks of the fault tests see what goes wrong elsewhere: boto3 by itself, and violations made on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.faults.effects import LostAnswer
from tests.faults.places import Place, place
from tests.faults.rounds import Outcome, Write, effects, started, tally

ROUNDS = 5
CONDITION = "attribute_not_exists(id)"


@pytest.fixture
def at(url_of: Callable[[str], str]) -> Iterator[Place]:
    """DynamoDB Local behind a proxy."""
    with place("dynamodb-fast", url_of) as found:
        yield found


@pytest.fixture
def client(at: Place) -> Iterator[Any]:
    """A plain boto3 client with its default retries, through the proxy."""
    parts = urlsplit(at.faulty_url)
    options = dict(parse_qsl(parts.query))
    client = boto3.client(
        "dynamodb", region_name=parts.hostname, endpoint_url=options["endpoint"],
        aws_access_key_id=options["access_key_id"], aws_secret_access_key=options["secret_access_key"],
        config=Config(tcp_keepalive=False),
    )  # fmt: skip
    yield client
    client.close()


def plain_write(client: Any, at: Place, kind: Write, key: str) -> None:
    """What programs do without Isthmus."""
    if kind == "add":
        client.update_item(
            TableName=at.schema.name, Key={"id": {"S": key}}, UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )  # fmt: skip
    else:
        client.put_item(TableName=at.schema.name, Item={"id": {"S": f"{key}-new"}}, ConditionExpression=CONDITION)


def outcome(client: Any, at: Place, kind: Write, key: str) -> str:
    """What boto3 says."""
    try:
        plain_write(client, at, kind, key)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "applied"


@pytest.mark.parametrize(
    ("kind", "expected"), [("add", ("applied", 2)), ("create", ("ConditionalCheckFailedException", 1))]
)
def test_boto3_by_itself_gets_lost_answers_wrong(client: Any, at: Place, kind: Write, expected: Outcome) -> None:
    """An addition happens twice; a successful creation is reported as a failed condition."""
    found = []
    for key in started(at.plain, ROUNDS):
        at.proxy.arm(LostAnswer(), at.request)
        found.append((outcome(client, at, kind, key), effects(at.plain, kind, key)))
    assert tally(found) == {expected: ROUNDS}


def test_half_a_transaction_would_be_seen(at: Place) -> None:
    """A counter without the item that comes with it."""
    key = started(at.plain, 1)[0]
    at.plain.update(id=key, add={"n": 1})
    assert effects(at.plain, "transaction", key) == -1
