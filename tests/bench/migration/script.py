"""The reference: what a careful person writes over boto3 and PyMongo to move a table.

``python -m tests.bench.migration.script ENDPOINT TABLE MONGODB_URL PROCESSES``: segments of a parallel scan in threads,
TypeDeserializer, decimals as Decimal128, sets as lists, batches of 1,000 by ``insert_many``. Two processes share the
segments.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from time import time
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from bson.decimal128 import Decimal128
from pymongo import MongoClient

from tests.bench.migration.landings import Landing, summary
from tests.bench.servers.peers.addresses import ACCESS_KEY, REGION, SECRET_KEY

SEGMENTS = 8
THREADS = 4
BATCH = 1_000


def portable(value: Any) -> Any:
    """A value of TypeDeserializer as MongoDB takes it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else Decimal128(value)
    if isinstance(value, dict):
        return {name: portable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [portable(member) for member in value]
    return sorted(portable(member) for member in value) if isinstance(value, set) else value


def move_segment(endpoint: str, table: str, url: str, segment: int) -> list[Landing]:
    """Move one segment; when how many of its items had arrived."""
    dynamodb = boto3.client(
        "dynamodb", region_name=REGION, endpoint_url=endpoint, aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip
    deserialize, moved = TypeDeserializer().deserialize, list[Landing]()
    with MongoClient[dict[str, Any]](url) as mongodb:
        collection, batch = mongodb.get_default_database()[table], list[dict[str, Any]]()
        for page in dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=SEGMENTS, ConsistentRead=True
        ):
            for raw in page["Items"]:
                item = {name: portable(deserialize(value)) for name, value in raw.items()}
                batch.append({"_id": {"pk": item.pop("pk"), "sk": item.pop("sk")}, **item})
                if len(batch) == BATCH:
                    moved.append(Landing(len(collection.insert_many(batch, ordered=False).inserted_ids), time()))
                    batch = []
        if batch:
            moved.append(Landing(len(collection.insert_many(batch, ordered=False).inserted_ids), time()))
    return moved


def move(endpoint: str, table: str, url: str, segments: list[int]) -> list[Landing]:
    """Move some segments, side by side in threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda segment: move_segment(endpoint, table, url, segment), segments)
        return [landing for landings in found for landing in landings]


def main() -> None:
    """Move all segments, and tell how that went."""
    endpoint, table, url, processes = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    if processes == 1:
        print(summary(move(endpoint, table, url, list(range(SEGMENTS)))))
        return
    shares = [(endpoint, table, url, list(range(number, SEGMENTS, processes))) for number in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        print(summary([landing for landings in pool.starmap(move, shares) for landing in landings]))


if __name__ == "__main__":
    main()
