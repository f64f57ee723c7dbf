"""What the peers over boto3 share: the session, the endpoint and the table."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from tests.bench.servers.peers.addresses import ACCESS_KEY, REGION, SECRET_KEY

KEYS = ("shop", "order")


def session() -> Any:
    """A session with the credentials that a local engine takes."""
    return boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)


def settings(endpoint: str) -> dict[str, Any]:
    """Arguments of a client: a pool that is large enough for all callers, everything else as it is by default."""
    return {"endpoint_url": endpoint, "config": Config(max_pool_connections=64)}


def create(client: Any, name: str) -> None:
    """Create the table with on-demand capacity and wait for it."""
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name)
