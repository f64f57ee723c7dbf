"""What an operation and an error let a layer map."""

from __future__ import annotations

from typing import Any

import isthmus
from isthmus import operations as op
from isthmus.errors import (
    ConditionFailed,
    ItemNotFound,
    TransactionFailed,
)
from isthmus.expressions import Add, Changes, Remove, Set, SetFrom, SetIfAbsent
from isthmus.layers import map_error_items


def test_set_values_are_mapped() -> None:
    """Values that updates put in place of whole attributes are mapped, in transactions too; no other change is."""
    schema, context = isthmus.Table("things", isthmus.Key("id")), op.Context()
    changes = Changes(
        [
            Set(("a",), 1),
            SetIfAbsent(("b",), 2),
            Set(("c", "x"), 3),
            Add(("d",), 4),
            SetFrom(("e",), ("f",)),
            Remove(("g",)),
        ]
    )
    update = op.Update(context, schema, {"id": "1"}, changes)
    seen: list[Any] = []

    def double(name: str, value: Any) -> Any:
        seen.append((name, value))
        return value * 10

    mapped = update.map_set_values(double)
    assert mapped.changes.actions == (Set(("a",), 10), SetIfAbsent(("b",), 20), *changes.actions[2:])
    assert seen == [("a", 1), ("b", 2)]
    put = op.Put(context, schema, {"id": "2", "a": 1})
    assert op.TransactWrite(context, (update, put)).map_set_values(double).actions == (mapped, put)
    assert update.changes == changes


def test_items_of_errors_are_mapped() -> None:
    """Current items are mapped wherever they hide."""
    single, inner = ConditionFailed("no", current={"id": "1"}), ConditionFailed("no", current={"id": "2"})
    whole = TransactionFailed("no", reasons=[None, inner, ItemNotFound("none"), ConditionFailed("no")])
    for error in (single, whole, ItemNotFound("none")):
        map_error_items(error, lambda item: {**item, "seen": True})
    assert (single.current, inner.current) == ({"id": "1", "seen": True}, {"id": "2", "seen": True})
    assert [getattr(reason, "current", None) for reason in whole.reasons] == [None, inner.current, None, None]
