"""Validation of a table into which boto3 writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from isthmus import Index, Table
from isthmus.validating import validate_table
from plugins.dynamodb.tests.stored import Store, open_store

DECLARED = Table("orders", "id", indexes=[Index("by_age", ("age", int))], ttl="expires", version="version")


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database on DynamoDB Local, with two items as they should be."""
    with open_store(dynamodb_url) as opened:
        orders = opened.database.tables.create(DECLARED)
        orders.put({"id": "a", "age": 3})
        orders.put({"id": "b"})
        yield opened


def test_what_boto3_wrote_is_checked(store: Store) -> None:
    """Types that the service does not see to: expiry, version, and more digits than are portable."""
    store.put_raw(
        "orders",
        {"id": {"S": "c"}, "expires": {"S": "never"}, "version": {"N": "1"}},
        {"id": {"S": "d"}, "version": {"S": "1"}},
        {"id": {"S": "e"}, "version": {"N": "1"}, "wide": {"N": "1" * 38}},
        {"id": {"S": "f"}},
    )
    table = store.database.tables.open("orders")
    whole = validate_table(table)
    assert {(one.kind, (one.key or {})["id"], one.stored) for one in whole.deviations} == {
        ("ttl", "c", "string"),
        ("version", "d", "string"),
        ("value", "e", "number"),
        ("version", "f", "missing"),
    }
    assert (whole.items, whole.deviating) == (6, 4)
    first = validate_table(table, limit=3, chunk=2)
    rest = validate_table(table, after=first.cursor, chunk=2)
    assert [*first.deviations, *rest.deviations] == list(whole.deviations)
    assert validate_table(table, limits=store.database.limits).kinds == {"ttl": 1, "version": 2}
