"""Requests that show whether an emulator still does otherwise than the service: what ``quirks`` is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Client = Any
"""A client of boto3."""


def scan(client: Client, table: str, item: dict[str, Any], expression: str, **values: Any) -> Any:
    """How many items a filter finds where there is one, or the code of the refusal."""
    client.put_item(TableName=table, Item={"id": {"S": "a"}, **item})
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    return tried(lambda: client.scan(TableName=table, FilterExpression=expression, **given)["Count"])


def update(client: Client, table: str, item: dict[str, Any], expression: str, **values: Any) -> Any:
    """The item that an update leaves, or the code of the refusal."""
    client.put_item(TableName=table, Item={"id": {"S": "a"}, **item})
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    key = {"id": {"S": "a"}}
    request = {"TableName": table, "Key": key, "UpdateExpression": expression, "ReturnValues": "ALL_NEW", **given}
    return tried(lambda: client.update_item(**request)["Attributes"])


def tried(call: Callable[[], Any]) -> Any:
    """What a call gives, or the code of its refusal."""
    try:
        return call()
    except Exception as error:
        return getattr(error, "response", {"Error": {"Code": "500"}})["Error"]["Code"]


def too_many_reads(client: Client, table: str) -> bool:
    """Whether a transactional read of 26 items is refused."""
    gets = [{"Get": {"TableName": table, "Key": {"id": {"S": str(n)}}}} for n in range(26)]
    return bool(tried(lambda: len(client.transact_get_items(TransactItems=gets)["Responses"])) != 26)


def too_large(client: Client, table: str) -> bool:
    """Whether an item of 408,000 bytes is refused."""
    item = {"id": {"S": "a"}, "t": {"S": "t" * 408_000}}
    return bool(tried(lambda: client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"]) != 200)


def deep(client: Client, table: str) -> bool:
    """Whether 40 nested lists are stored."""
    value: Any = {"S": "x"}
    for _ in range(40):
        value = {"L": [value]}
    item = {"id": {"S": "a"}, "l": value}
    return bool(tried(lambda: client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"]) == 200)


def _shared_sort_key(client: Client, table: str) -> bool:
    """Whether pages of one item lose items of an index whose sort key is the table's own."""
    name = f"{table}-shared"
    definitions = [{"AttributeName": attribute, "AttributeType": "S"} for attribute in "pgs"]
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=_keys("p", "s"), AttributeDefinitions=definitions,
        GlobalSecondaryIndexes=[{"IndexName": "by-g", "KeySchema": _keys("g", "s"), "Projection": _WHOLE}],
    )  # fmt: skip
    try:
        for partition in "abc":
            client.put_item(TableName=name, Item={"p": {"S": partition}, "s": {"S": "x"}, "g": {"S": "g"}})
        return len(_paged(client, name)) < 3
    finally:
        client.delete_table(TableName=name)


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _paged(client: Client, name: str) -> list[Any]:
    pages = client.get_paginator("query").paginate(
        TableName=name, IndexName="by-g", KeyConditionExpression="g = :g AND s <= :s", PaginationConfig={"PageSize": 1},
        ExpressionAttributeValues={":g": {"S": "g"}, ":s": {"S": "x"}},
    )  # fmt: skip
    return [item for page in pages for item in page["Items"]]


_WHOLE = {"ProjectionType": "ALL"}

KEY = {"id": {"S": "a"}}


def put(client: Client, table: str, **attributes: Any) -> Any:
    """The status of writing an item, or the code of the refusal."""
    item = {**KEY, **attributes}
    return tried(lambda: client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"])


def got(client: Client, table: str) -> Any:
    """The item, if there is one."""
    return client.get_item(TableName=table, Key=KEY).get("Item")


def removed(client: Client, table: str, path: str) -> Any:
    """What a missing item is after a removal of this path, or the code of the refusal."""
    request = {"TableName": table, "Key": KEY, "UpdateExpression": f"REMOVE {path}"}
    refusal = tried(lambda: client.update_item(**request) and None)
    return refusal or got(client, table)


def has_no_checksum_on_errors(client: Client, table: str) -> bool:
    """Whether a refusal has no checksum where an answer has one."""
    answer = client.get_item(TableName=table, Key=KEY)["ResponseMetadata"]["HTTPHeaders"]
    try:
        client.get_item(TableName=table, Key={})
    except client.exceptions.ClientError as error:
        return "x-amz-crc32" in answer and "x-amz-crc32" not in error.response["ResponseMetadata"]["HTTPHeaders"]
    return False


def tagging(client: Client, table: str) -> Any:
    """The status of tagging a table, or the code of the refusal."""
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    tags = [{"Key": "a", "Value": "b"}]
    return tried(lambda: client.tag_resource(ResourceArn=arn, Tags=tags)["ResponseMetadata"]["HTTPStatusCode"])


def added_set(client: Client, table: str, *members: str) -> Any:
    """The members of a set of numbers that an update created."""
    return update(client, table, {}, "ADD s :x", x={"NS": list(members)})["s"]["NS"]


@contextmanager
def made(client: Client, name: str, key: str, **settings: Any) -> Iterator[str]:
    """Another table, whose key attributes are those letters."""
    kinds = ("HASH", "RANGE")
    schema = [{"AttributeName": letter, "KeyType": kind} for letter, kind in zip(key, kinds, strict=False)]
    types = [{"AttributeName": letter, "AttributeType": "S"} for letter in sorted({*key, *settings.pop("others", "")})]
    client.create_table(TableName=name, KeySchema=schema, AttributeDefinitions=types, **settings)
    try:
        yield name
    finally:
        client.delete_table(TableName=name)


def index(key: str) -> dict[str, Any]:
    """The settings of a table with the index ``by-g`` of those key attributes."""
    schema = [{"AttributeName": letter, "KeyType": kind} for letter, kind in zip(key, ("HASH", "RANGE"), strict=False)]
    declared = {"IndexName": "by-g", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
    return {"BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [declared], "others": key}


def wrong_index_key(client: Client, table: str, write: str) -> Any:
    """The code of the refusal of a number as an index key that is text, or something else."""
    key = {"k": {"S": "a"}}
    with made(client, f"{table}-indexed", "k", **index("g")) as name:
        if write == "put":
            return tried(lambda: client.put_item(TableName=name, Item={**key, "g": {"N": "1"}}) and "accepted")
        request = {"TableName": name, "Key": key, "UpdateExpression": "SET g = :g"}
        return tried(lambda: client.update_item(**request, ExpressionAttributeValues={":g": {"N": "1"}}) and "accepted")


def never_throttles(client: Client, table: str) -> bool:
    """Whether a table for one small write in a second takes ten large ones at once, burst capacity included."""
    capacity = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    item = {"k": {"S": "a"}, "t": {"S": "t" * 350_000}}
    with made(client, f"{table}-slow", "k", ProvisionedThroughput=capacity) as name:
        answers = [tried(lambda: client.put_item(TableName=name, Item=item) and "taken") for _ in range(10)]
    return answers == ["taken"] * 10


def loses_ties(client: Client, table: str) -> bool:
    """Whether pages of an index miss items that have one sort key, which is the table's too."""
    with made(client, f"{table}-ties", "ps", **index("gs")) as name:
        for letter in "pqr":
            client.put_item(TableName=name, Item={"p": {"S": letter}, "s": {"S": "a"}, "g": {"S": "g"}})
        client.put_item(TableName=name, Item={"p": {"S": "p"}, "s": {"S": "b"}, "g": {"S": "g"}})
        request = {
            "TableName": name, "IndexName": "by-g", "Limit": 1, "KeyConditionExpression": "g = :g AND s <= :a",
            "ExpressionAttributeValues": {":g": {"S": "g"}, ":a": {"S": "a"}},
        }  # fmt: skip
        found: list[int] = [page["Count"] for page in client.get_paginator("query").paginate(**request)]
    return sum(found) != 3
