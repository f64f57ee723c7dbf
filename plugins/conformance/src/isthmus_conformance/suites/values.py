"""Values: what may be written, and that it comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from isthmus import BoundTable

from isthmus_conformance.base import Suite
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.rules import rule


class ValuesSuite(Suite):
    """Values: what may be written, and that it comes back as it was."""

    @rule("NUL-1", "STR-4", "BIN-3")
    @pytest.mark.parametrize("value", [None, "", b"", [], {}], ids=["null", "string", "binary", "list", "map"])
    def test_empty_values_come_back_as_written(self, table: BoundTable, value: Any) -> None:
        """Null and empty values are values of their own."""
        table.put({"id": "a", "value": value})
        assert_same({"id": "a", "value": value}, table.get(id="a"))
