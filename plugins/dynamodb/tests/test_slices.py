"""What slices keep of stored items that can't be read."""

from __future__ import annotations

import json
from typing import Any, cast

from isthmus import Table
from isthmus.operations import Context, Scan
from isthmus.results import Page
from isthmus_dynamodb.known_tables import TrustedTables
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.queries import scan
from isthmus_dynamodb.service import Service
from plugins.dynamodb.tests.stored import NOW, carried_out

TABLE = Table("things", partition_key="id")
SERVICE = Service(lambda: NOW, TableNames(""), TrustedTables(TableNames("")))
# Transports give binary values as bytes.
DAMAGED: dict[str, Any] = {"id": {"S": "b"}, "new": {"X": "é"}, "raw": {"B": b"\xff"}, "many": {"BS": [b"1", b"2"]}}


def _read(limit: int | None, *answers: Any) -> Page:
    operation = Scan(Context(), TABLE, limit=limit, report_unreadable=True)
    return cast("Page", carried_out(scan(operation, SERVICE), answers)[0])


def test_the_original_is_the_item_as_the_protocol_has_it() -> None:
    """With types that are not known, and binary values in Base64."""
    page = _read(None, {"Items": [{"id": {"S": "a"}}, DAMAGED], "ScannedCount": 2, "Count": 2})
    (found,) = page.unreadable
    assert (page.items, found.key, found.form) == (({"id": "a"},), {"id": "b"}, "dynamodb-json")
    assert json.loads(found.original or b"") == {
        "id": {"S": "b"}, "new": {"X": "é"}, "raw": {"B": "/w=="}, "many": {"BS": ["MQ==", "Mg=="]},
    }  # fmt: skip


def test_a_page_may_end_after_it() -> None:
    """So that a reader goes on behind it."""
    items = [{"id": {"S": "a"}}, DAMAGED, {"id": {"S": "c"}}]
    page = _read(2, {"Items": items, "ScannedCount": 3, "Count": 3, "LastEvaluatedKey": {"id": {"S": "c"}}})
    assert (page.items, len(page.unreadable), page.position) == (({"id": "a"},), 1, {"id": "b"})
