"""Where the parts of a declaration are kept that the service has no place for: tags of the table.

DynamoDB Local has no tags, so there a table of Isthmus's own, the catalogue, takes their place.
"""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, Final

from isthmus.operations import Operation
from isthmus.schema import Table
from isthmus_dynamodb.failures import IN_USE, NOT_FOUND, UNKNOWN_ACTION
from isthmus_dynamodb.names import CATALOGUE, TableNames
from isthmus_dynamodb.native import Json, Request, ServiceError
from isthmus_dynamodb.waiting import patiently

_PARTS: Final = ("version", "created_at", "updated_at")
_TAG: Final = "isthmus:"
_TAG_LENGTH: Final = 256
_KEY: Final = "table"
_MADE: Final = "made"
_PARTS_KEPT: Final = "declaration"


def parts_of(table: Table) -> dict[str, str]:
    """The parts of a declaration that are kept here."""
    named = {part: getattr(table, part) for part in _PARTS}
    return {part: name for part, name in named.items() if name is not None}


def tags_of(table: Table) -> list[Json]:
    """The tags of a new table. A tag takes few characters and is short, so names are encoded and cut up."""
    return [
        {"Key": f"{_TAG}{part}:{number}", "Value": piece}
        for part, name in parts_of(table).items()
        for number, piece in enumerate(_pieces(urlsafe_b64encode(name.encode()).decode("ascii")))
    ]


def _pieces(text: str) -> list[str]:
    return [text[start : start + _TAG_LENGTH] for start in range(0, len(text), _TAG_LENGTH)]


def parts_from(tags: Mapping[str, str]) -> dict[str, str]:
    """The parts that tags hold; foreign tags are none of ours."""
    found = {}
    for part in _PARTS:
        pieces = [tags.get(f"{_TAG}{part}:{number}", "") for number in range(2)]
        name = _decoded("".join(pieces))
        if name:
            found[part] = name
    return found


def _decoded(text: str) -> str | None:
    """The name in the pieces of a tag; ``None`` if somebody else wrote them."""
    try:
        return b64decode(text, altchars=b"-_", validate=True).decode()
    except ValueError:
        return None


class Declarations:
    """Keeps and recalls those parts."""

    def __init__(self, names: TableNames) -> None:
        self._names = names
        self._tagless = False

    @property
    def _catalogue(self) -> str:
        return self._names.native(CATALOGUE)

    def recall(self, name: str, description: Mapping[str, Any]) -> Generator[Any, Any, dict[str, str]]:
        """The parts that were kept for a table."""
        tags = yield from self._tags(description)
        return parts_from(tags) if tags is not None else (yield from self._recall_row(name, _made(description)))

    def keep(self, operation: Operation, table: Table, description: Mapping[str, Any]) -> Generator[Any, Any, None]:
        """Keep the parts of a table that was just created, where its tags could not."""
        parts = parts_of(table)
        if parts and (yield from self._tags(description)) is None:
            yield from self._make_catalogue(operation)
            row = {**self._row_key(table.name), _MADE: {"S": _made(description)}, _PARTS_KEPT: {"S": json.dumps(parts)}}
            yield from patiently(operation, Request("PutItem", {"TableName": self._catalogue, "Item": row}))

    def forget(self, name: str) -> Generator[Any, Any, None]:
        """Remove what was kept outside of a table that is gone."""
        if self._tagless:
            try:
                yield Request("DeleteItem", {"TableName": self._catalogue, "Key": self._row_key(name)})
            except ServiceError as error:
                if error.code != NOT_FOUND:
                    raise

    def _row_key(self, name: str) -> Json:
        return {_KEY: {"S": self._names.native(name)}}

    def _tags(self, description: Mapping[str, Any]) -> Generator[Any, Any, dict[str, str] | None]:
        """The table's tags, or ``None`` from a service that has none."""
        if self._tagless:
            return None
        tags: dict[str, str] = {}
        parameters: Json = {"ResourceArn": description["TableArn"]}
        try:
            while True:
                answer = yield Request("ListTagsOfResource", parameters)
                tags |= {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}
                if not answer.get("NextToken"):
                    return tags
                parameters = {**parameters, "NextToken": answer["NextToken"]}
        except ServiceError as error:
            if error.code != UNKNOWN_ACTION:
                raise
        self._tagless = True
        return None

    def _recall_row(self, name: str, made: str) -> Generator[Any, Any, dict[str, str]]:
        parameters = {"TableName": self._catalogue, "Key": self._row_key(name), "ConsistentRead": True}
        try:
            row = (yield Request("GetItem", parameters)).get("Item")
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            return {}
        # A row may be left of an earlier table of that name.
        return dict(json.loads(row[_PARTS_KEPT]["S"])) if row and row[_MADE]["S"] == made else {}

    def _make_catalogue(self, operation: Operation) -> Generator[Any, Any, None]:
        # No waiting: only DynamoDB Local comes here, where a new table can be used at once.
        parameters = {
            "TableName": self._catalogue,
            "KeySchema": [{"AttributeName": _KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": _KEY, "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        try:
            yield Request("CreateTable", parameters)
        except ServiceError as error:
            if error.code != IN_USE:
                raise


def _made(description: Mapping[str, Any]) -> str:
    """When a table was created, as text; a transport gives a number of seconds or a date."""
    moment = description["CreationDateTime"]
    return str(round((moment.timestamp() if isinstance(moment, datetime) else float(moment)) * 1000))
