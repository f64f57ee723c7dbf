"""Types that only one store knows, which other clients may have written (rule TYP-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pytest
from attrs import evolve, frozen

from isthmus import BoundTable, Database
from isthmus.errors import InvalidStoredValue
from isthmus.operations import Context, Scan
from isthmus.results import Page
from isthmus_conformance.base import Suite
from isthmus_conformance.pytest_plugin import UNSUPPORTED
from isthmus_conformance.rules import rule


@frozen
class Foreign:
    """What was stored by another client.

    :param id: partition key of the item, a string
    :param attribute: the attribute that holds what is no portable value
    :param type: the name that errors give to its type
    """

    id: str
    attribute: str
    type: str


StoreForeign = Callable[[BoundTable], Foreign]
"""Stores an item with a value that only this store knows in a table with the partition key ``id``."""


class ForeignTypes(Suite):
    """A suite gives the fixture ``foreign`` where its store has types of its own."""

    @pytest.fixture
    def foreign(self) -> StoreForeign | None:
        """How to store a value that only this store knows; None where there is no such type."""
        return None

    @rule("TYP-3")
    @pytest.mark.parametrize("read", ["get", "query", "scan"])
    def test_a_type_that_only_the_store_knows_is_named(
        self, table: BoundTable, foreign: StoreForeign | None, read: str
    ) -> None:
        """InvalidStoredValue with the attribute and the type; never the item without it, never a guess."""
        if foreign is None:
            pytest.skip(f"{UNSUPPORTED}this store has no types of its own")
        stored = foreign(table)
        reads: dict[str, Callable[[], object]] = {
            "get": lambda: table.get(id=stored.id),
            "query": lambda: list(table.query(id=stored.id)),
            "scan": lambda: list(table.scan()),
        }
        with pytest.raises(InvalidStoredValue) as raised:
            reads[read]()
        message = str(raised.value)
        assert (stored.attribute in message, stored.type in message) == (True, True), message

    @rule("TYP-4")
    @pytest.mark.parametrize("limit", [None, 1, 2])
    def test_a_scan_goes_on_past_what_cannot_be_read(
        self, database: Database, table: BoundTable, foreign: StoreForeign | None, limit: int | None
    ) -> None:
        """Page by page: each readable item once, and the other one once, by its key."""
        if foreign is None:
            pytest.skip(f"{UNSUPPORTED}this store has no types of its own")
        names = [f"item-{number}" for number in range(5)]
        table.put_many([{"id": name} for name in names]).raise_for_failures()
        stored = foreign(table)
        pages = list(_pages(database, Scan(Context(), table.schema, limit=limit, report_unreadable=True)))
        assert sorted(str(item["id"]) for page in pages for item in page.items) == names
        found = [one for page in pages for one in page.unreadable]
        assert [one.key for one in found] == [{"id": stored.id}]
        assert stored.attribute in str(found[0].error)


def _pages(database: Database, scan: Scan) -> Iterator[Page]:
    while True:
        page = cast("Page", database.execute(scan))
        yield page
        if page.position is None:
            return
        scan = evolve(scan, start=page.position)
