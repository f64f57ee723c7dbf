"""Errors: what they carry, and what they never show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import frozen
from loguru import logger

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    InvalidCursor,
    InvalidKey,
    InvalidPath,
    InvalidValue,
    IsthmusError,
    ItemNotFound,
    ItemTooLarge,
    OutOfRange,
    QueryTooComplex,
    TableNotFound,
    TransactionFailed,
    VersionConflict,
)
from isthmus.expressions import any_of
from isthmus_conformance.base import MakeTable, Suite, fresh_name, requires
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import values

SECRET = "s3cr3t"  # noqa: S105  # it is made up
"""Part of every key and value here, so that it must not appear in any text."""

_KEY = f"{SECRET}-key"
_ITEM: dict[str, Any] = {
    "id": _KEY, "x": f"{SECRET}-value", "n": 5, "map": {"y": f"{SECRET}-inner"}, "large": 9 * 10**125,
}  # fmt: skip


@frozen
class Mistake:
    """A call that fails.

    :param operation: the kind of operation that the error names; ``None`` when it is refused before there is one
    """

    call: Callable[[Database, BoundTable], Any]
    error: type[IsthmusError]
    code: str
    operation: str | None = None


_OTHER = {"id": f"{SECRET}-other"}
MISTAKES: dict[str, Mistake] = {
    "get": Mistake(lambda _d, t: t.get(_OTHER), ItemNotFound, "item_not_found", "get"),
    "update": Mistake(lambda _d, t: t.update(_OTHER, set={"x": SECRET}), ItemNotFound, "item_not_found", "update"),
    "create": Mistake(lambda _d, t: t.create({"id": _KEY, "x": SECRET}), AlreadyExists, "already_exists", "create"),
    "put": Mistake(lambda _d, t: t.put(_ITEM, when=F.x == SECRET), ConditionFailed, "condition_failed", "put"),
    "delete": Mistake(
        lambda _d, t: t.delete(id=_KEY, when=F.x == SECRET), ConditionFailed, "condition_failed", "delete"
    ),
    "type": Mistake(lambda _d, t: t.update(id=_KEY, add={"x": 1}), InvalidValue, "invalid_value", "update"),
    "path": Mistake(lambda _d, t: t.update(id=_KEY, set={F.x.y: SECRET}), InvalidPath, "invalid_path", "update"),
    "range": Mistake(
        lambda _d, t: t.update(id=_KEY, add={"large": 9 * 10**125}), OutOfRange, "out_of_range", "update"
    ),
    "value": Mistake(lambda _d, t: t.put({"id": _KEY, "x": f"{SECRET}\ud800"}), InvalidValue, "invalid_value"),
    "set": Mistake(lambda _d, t: t.put({"id": _KEY, "x": {SECRET, 1}}), InvalidValue, "invalid_value"),
    "object": Mistake(lambda _d, t: t.put({"id": _KEY, "x": [Mistake, SECRET]}), InvalidValue, "invalid_value"),
    "number": Mistake(lambda _d, t: t.put({"id": _KEY, "x": int("5537" * 20)}), InvalidValue, "invalid_value"),
    "key": Mistake(lambda _d, t: t.get(id=[SECRET]), InvalidKey, "invalid_key"),
    "long key": Mistake(lambda _d, t: t.get(id=SECRET * 1000), InvalidKey, "invalid_key"),
    "large": Mistake(lambda _d, t: t.put({"id": _KEY, "x": SECRET * 100_000}), ItemTooLarge, "item_too_large"),
    "cursor": Mistake(lambda _d, t: t.scan().page(size=1, cursor=f"{SECRET}"), InvalidCursor, "invalid_cursor"),
    "order": Mistake(lambda _d, t: t.scan().where(F.x < [SECRET]), InvalidArgument, "invalid_argument"),
    "many": Mistake(
        lambda _d, t: t.put_many([{"id": _KEY, "x": SECRET}, {"id": _KEY}]), InvalidArgument, "invalid_argument"
    ),
    "complex": Mistake(
        lambda _d, t: t.scan().where(any_of([F.x == f"{SECRET}{n}" for n in range(200)])),
        QueryTooComplex,
        "query_too_complex",
    ),
}  # fmt: skip
_MISTAKES = [pytest.param(mistake, id=name) for name, mistake in MISTAKES.items()]


class ErrorsSuite(Suite):
    """Errors: what they carry, and what they never show."""

    @pytest.fixture
    def filled(self, table: BoundTable) -> BoundTable:
        """A table with one item."""
        table.put(_ITEM)
        return table

    @pytest.fixture
    def logged(self) -> Iterator[list[str]]:
        """Everything that is logged meanwhile."""
        lines: list[str] = []
        handler = logger.add(lines.append, level=0, backtrace=False, diagnose=False)
        yield lines
        logger.remove(handler)

    @rule("CND-8", "TAB-4")
    @pytest.mark.parametrize("mistake", _MISTAKES)
    def test_an_error_says_what_and_where(self, database: Database, filled: BoundTable, mistake: Mistake) -> None:
        """Its class and code, that nothing was applied, that repeating does not help, and which call it was."""
        with pytest.raises(mistake.error) as raised:
            mistake.call(database, filled)
        error = raised.value
        assert (error.code, error.retryable, error.maybe_applied) == (mistake.code, False, False)
        if mistake.operation is not None:
            assert (error.backend, error.operation, error.table) == (
                database.backend_name,
                mistake.operation,
                filled.name,
            )

    @rule("TAB-4", "LYR-8")
    @pytest.mark.parametrize("mistake", _MISTAKES)
    def test_an_error_shows_no_keys_and_no_values(
        self, database: Database, filled: BoundTable, mistake: Mistake, logged: list[str]
    ) -> None:
        """Neither in its text, nor in to_dict(), nor in what is logged; and a failed call changes nothing."""
        with pytest.raises(IsthmusError) as raised:
            mistake.call(database, filled)
        error = raised.value
        shown = [str(error), repr(error), json.dumps(error.to_dict()), *logged]
        assert [text for text in shown if SECRET in text or "5537" in text] == []
        assert_same(_ITEM, filled.get(id=_KEY))

    @rule("TAB-4")
    def test_an_error_is_json_ready(self, filled: BoundTable) -> None:
        """to_dict() has every field but the key and the item."""
        with pytest.raises(ConditionFailed) as raised:
            filled.put(_ITEM, when=F.x == SECRET)
        data = json.loads(json.dumps(raised.value.to_dict()))
        assert set(data) >= {
            "code",
            "message",
            "retryable",
            "maybe_applied",
            "backend",
            "operation",
            "table",
            "request_id",
        }
        assert data["code"] == "condition_failed"
        assert not {"key", "current", "item"} & set(data)

    @rule("TAB-4", "CND-2")
    @requires(Capability.CURRENT_ON_FAILURE)
    def test_the_key_and_the_current_item_are_attributes(self, filled: BoundTable) -> None:
        """Programs that need them find them there."""
        with pytest.raises(ConditionFailed) as raised:
            filled.update(id=_KEY, set={"x": 1}, when=F.x == 1)
        assert_same({"id": _KEY}, raised.value.key)
        assert_same(_ITEM, raised.value.current)

    @rule("TAB-1", "TAB-4")
    def test_an_unknown_table_is_named(self, database: Database) -> None:
        """TableNotFound with the table's name and what to do."""
        name = fresh_name()
        with pytest.raises(TableNotFound) as raised:
            database.table(name, partition_key="id").find(id=_KEY)
        assert name in str(raised.value)
        assert (raised.value.table, raised.value.code) == (name, "table_not_found")
        assert SECRET not in str(raised.value)

    @rule("TXN-6", "TAB-4")
    @requires(Capability.TRANSACT_WRITE)
    def test_reasons_of_a_transaction_show_nothing_either(self, database: Database, filled: BoundTable) -> None:
        """One for each action, JSON-ready."""
        with pytest.raises(TransactionFailed) as raised:
            database.transact_write(
                [
                    filled.actions.put(_ITEM, when=F.x == SECRET),
                    filled.actions.put(_OTHER),
                    filled.actions.delete(id="z"),
                ]
            )
        assert [type(reason) for reason in raised.value.reasons] == [ConditionFailed, type(None), type(None)]
        text = json.dumps(raised.value.to_dict()) + str(raised.value)
        assert SECRET not in text

    @rule("CND-6", "CND-2")
    @requires(Capability.CONDITIONAL_WRITE, Capability.CONDITIONAL_DELETE)
    def test_a_version_that_was_overtaken_is_a_conflict(self, make_table: MakeTable) -> None:
        """VersionConflict, which is a ConditionFailed; without a current item when the item is gone."""
        table = make_table(versioned=True)
        table.put({"id": "a"})
        first = table.get(id="a")
        table.put(first)
        for write in (
            lambda: table.put(first),
            lambda: table.update(id="a", set={"x": 1}, expected_version=1),
            lambda: table.delete(id="a", expected_version=1),
        ):
            with pytest.raises(VersionConflict) as raised:
                write()
            assert_same({"id": "a", "version": 2}, raised.value.current)
        table.delete(id="a", expected_version=2)
        for write in (
            lambda: table.put(first),
            lambda: table.update(id="a", set={"x": 1}, expected_version=1),
            lambda: table.delete(id="a", expected_version=1),
        ):
            with pytest.raises(ConditionFailed) as gone:
                write()
            assert gone.value.current is None

    @rule("TAB-4")
    @given(share=0.5, value=values())
    def test_no_value_ever_shows_in_a_failed_condition(self, filled: BoundTable, value: Any) -> None:
        """Whatever is stored, the text stays the same."""
        filled.put({"id": _KEY, "x": value})
        with pytest.raises(ConditionFailed) as raised:
            filled.put({"id": _KEY}, when=F.nothing.exists())
        assert_same({"id": _KEY, "x": value}, raised.value.current)
        filled.put({"id": _KEY, "x": 1})
        with pytest.raises(ConditionFailed) as other:
            filled.put({"id": _KEY}, when=F.nothing.exists())
        assert str(other.value) == str(raised.value)
