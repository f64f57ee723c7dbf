"""Writes whose outcome stayed unknown: what their ids tell later (rule CND-7)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import pytest

from isthmus import BoundTable, Capability, Key, Table
from isthmus.errors import InvalidArgument, OutcomeUnknown
from isthmus.operation_ids import public_id
from isthmus.operations import Context, Put
from isthmus.schema import KeyType
from isthmus_conformance.base import requires
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.lost_answers import (
    ONCE,
    Connect,
    LostAnswersSuite,
    Write,
    id_of,
    lost,
    skip_without_transactions,
)

PLAIN_WRITES: Final[Mapping[str, Write]] = {
    "put": lambda table: table.put(table.get(id="1")),
    "batch": lambda table: table.put_many([table.get(id="1")]),
}
"""Writes that carry no id, and leave the item as they found it."""

_KEY_TYPES: Final[Mapping[type, KeyType]] = {str: "string", int: "number", bytes: "binary"}


class ResolveSuite(LostAnswersSuite):
    """No attempt at a write is answered; its id is asked for."""

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("write", ONCE)
    def test_an_applied_write_is_resolved(self, connected: Connect, plain: BoundTable, write: str) -> None:
        """When no attempt is answered, the id in the error tells later that the write was applied."""
        skip_without_transactions(plain, write)
        with pytest.raises(OutcomeUnknown) as caught:
            ONCE[write](connected(*[lost()] * 20))
        assert plain.database.resolve(str(caught.value.operation_id)) == "applied"

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    def test_a_write_that_was_not_applied_is_resolved(self, connected: Connect, plain: BoundTable) -> None:
        """The trace of an older write tells that nobody has written the item since."""
        with pytest.raises(OutcomeUnknown) as caught:
            connected(*[lost(applied=False)] * 20).update(id="1", add={"n": 1})
        assert plain.database.resolve(str(caught.value.operation_id)) == "not_applied"

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("cover", PLAIN_WRITES)
    @pytest.mark.parametrize("applied", [True, False])
    def test_what_a_plain_write_covered_stays_unknown(
        self, connected: Connect, plain: BoundTable, cover: str, applied: bool
    ) -> None:
        """A put or a batch leaves an item without any trace, whether ours was applied before or not."""
        with pytest.raises(OutcomeUnknown) as caught:
            connected(*[lost(applied=applied)] * 20).update(id="1", add={"n": 1})
        PLAIN_WRITES[cover](plain)
        assert plain.database.resolve(str(caught.value.operation_id)) == "unknown"

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    def test_what_a_later_writer_covered_stays_unknown(self, connected: Connect, plain: BoundTable) -> None:
        """A later write took the place of the trace."""
        with pytest.raises(OutcomeUnknown) as caught:
            connected(*[lost()] * 20).update(id="1", add={"n": 1})
        plain.update(id="1", add={"n": 1})
        assert plain.database.resolve(str(caught.value.operation_id)) == "unknown"

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("text", ["", "x", "é", "AAAA", 5, None, "A" * 20_000])
    def test_other_texts_are_no_operation_ids(self, plain: BoundTable, text: Any) -> None:
        """Only what an error carried is accepted."""
        with pytest.raises(InvalidArgument):
            plain.database.resolve(text)

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("key", [{"other": "1"}, {"id": "1", "other": "2"}, {"id": 5}, {"id": b"1"}], ids=repr)
    def test_an_operation_id_of_another_key_is_refused(self, plain: BoundTable, key: dict[str, Any]) -> None:
        """The table was made anew with another key, say."""
        with pytest.raises(InvalidArgument):
            plain.database.resolve(id_for(plain.name, key))


def id_for(name: str, key: Mapping[str, Any]) -> str:
    """An operation id as an error carries it, of a write to a table of that name with these key attributes."""
    context = Context(operation_id=id_of(time.time()))
    keys = [Key(part, _KEY_TYPES[type(value)]) for part, value in key.items()]
    return str(public_id(Put(context, Table(name, keys[0], keys[1] if keys[1:] else None), dict(key))))
