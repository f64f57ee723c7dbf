"""Idempotency tokens (rule TXN-8), as items of a table of their own that are written with the transaction.

The service's own tokens can't serve: it compares whole requests, in which layers may have put another time, and does
not say that it has replayed one.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

from isthmus.errors import IdempotencyMismatch
from isthmus.operations import TransactWrite
from isthmus.tokens import TOKEN_SECONDS, content_digest
from isthmus.values import normalise_number
from isthmus_dynamodb.conditions import expired_text
from isthmus_dynamodb.failures import IN_USE, INVALID, NOT_FOUND
from isthmus_dynamodb.forms import CURRENT
from isthmus_dynamodb.names import TOKENS
from isthmus_dynamodb.native import Json, Request, ServiceError
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import Attributes, decode_item, encode_item
from isthmus_dynamodb.waiting import patiently, pause, pauses

_KEY: Final = "token"
_CONTENT: Final = "content"
_EXPIRES: Final = "expires"


def token_put(operation: TransactWrite, token: str, service: Service, now: float) -> Json:
    """The member of a transaction that keeps its token, unless it is kept already."""
    placeholders = Placeholders()
    row = {_KEY: token, _CONTENT: content_digest(operation), _EXPIRES: normalise_number(now + TOKEN_SECONDS)}
    free = f"attribute_not_exists({placeholders.name(_KEY)}) OR {expired_text(_EXPIRES, now, placeholders)}"
    return {"Put": {
        "TableName": service.names.native(TOKENS), "Item": encode_item(row), "ConditionExpression": free,
        **CURRENT, **placeholders.parameters(),
    }}  # fmt: skip


def check_replayed(operation: TransactWrite, row: Mapping[str, Any]) -> None:
    """Compare a transaction with the one that its token was used for.

    :raises IdempotencyMismatch: that one had other content
    """
    if decode_item(row)[_CONTENT] != content_digest(operation):
        raise IdempotencyMismatch("this token was used for other content: use a new token")


def kept_token(token: str, service: Service) -> Generator[Any, Any, Attributes | None]:
    """The row of a token that was used and has not expired."""
    parameters = {"TableName": service.names.native(TOKENS), "Key": {_KEY: {"S": token}}, "ConsistentRead": True}
    try:
        row: Attributes | None = (yield Request("GetItem", parameters)).get("Item")
    except ServiceError as error:
        if error.code != NOT_FOUND:
            raise
        return None
    expires: Any = None if row is None else decode_item(row)[_EXPIRES]
    return None if expires is None or expires <= service.clock() else row


def make_token_table(operation: TransactWrite, service: Service) -> Generator[Any, Any, None]:
    """Create the table of tokens, and wait until it can be used; it may be there already."""
    name = service.names.native(TOKENS)
    try:
        yield Request("CreateTable", {
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": _KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": _KEY, "AttributeType": "S"}],
        })  # fmt: skip
    except ServiceError as error:
        if error.code != IN_USE:
            raise
    for seconds in pauses():
        described = yield from patiently(operation, Request("DescribeTable", {"TableName": name}))
        if described["Table"]["TableStatus"] == "ACTIVE":
            break
        yield from pause(operation, seconds)
    yield from _let_expire(operation, name)


def _let_expire(operation: TransactWrite, name: str) -> Generator[Any, Any, None]:
    specification = {"Enabled": True, "AttributeName": _EXPIRES}
    request = Request("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": specification})
    try:
        yield from patiently(operation, request)
    except ServiceError as error:
        if error.code != INVALID:  # somebody else has done it
            raise
