"""Types that only one store knows, which other clients may have written (rule TYP-3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import frozen

from isthmus import BoundTable
from isthmus.errors import InvalidStoredValue
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
