"""Idempotency tokens of transactions (rule TXN-8)."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus import BoundTable, Capability, F
from isthmus import operations as op
from isthmus.errors import IdempotencyMismatch, TransactionFailed
from isthmus.operations import Context
from isthmus_conformance.base import FakeClock, MakeTable, OpenDatabase, Suite, requires
from isthmus_conformance.comparing import assert_same_items
from isthmus_conformance.faults import FaultyBackend
from isthmus_conformance.rules import rule


def own_token(table: BoundTable, number: int = 0) -> str:
    """A token that no other test uses, because the store may outlive it."""
    return f"{number}{table.name}"[-30:]


class TokenSuite(Suite):
    """Idempotency tokens."""

    @pytest.fixture
    def counter(self, make_table: MakeTable) -> BoundTable:
        """A table with a counter at zero."""
        table = make_table()
        table.put({"id": "1", "n": 0})
        return table

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    @pytest.mark.parametrize("form", ["{}", "{:x>36}", "-~ !{}"])
    def test_a_replay_has_no_effect(self, counter: BoundTable, form: str) -> None:
        """The same token and content: success, once applied."""
        token = form.format(own_token(counter))
        actions = [counter.actions.update(id="1", add={"n": 1})]
        results = [counter.database.transact_write(actions, token=token) for _ in range(3)]
        assert [result.replayed for result in results] == [False, True, True]
        assert counter.get(id="1") == {"id": "1", "n": 1}

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_a_replay_succeeds_whatever_happened_since(self, counter: BoundTable) -> None:
        """The conditions are not judged again."""
        actions = [counter.actions.update(id="1", add={"n": 1}, when=F.n == 0)]
        counter.database.transact_write(actions, token=own_token(counter))
        counter.delete(id="1")
        assert counter.database.transact_write(actions, token=own_token(counter)).replayed is True
        assert counter.find(id="1") is None

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN, Capability.TABLE_MANAGEMENT)
    def test_a_replay_succeeds_without_its_table(self, counter: BoundTable) -> None:
        """A repeated request is recognised before anything else, so it can't fail where the first one succeeded."""
        actions = [counter.actions.update(id="1", add={"n": 1})]
        counter.database.transact_write(actions, token=own_token(counter))
        counter.drop()
        assert counter.database.transact_write(actions, token=own_token(counter)).replayed is True
        counter.ensure()

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_other_content_is_a_mismatch(self, counter: BoundTable) -> None:
        """Another value, condition, kind, order or table under one token is refused and applies nothing."""
        do = counter.actions
        counter.database.transact_write([do.put({"id": "2"}), do.put({"id": "3"})], token=own_token(counter))
        others: list[list[Any]] = [
            [do.put({"id": "2"})], [do.put({"id": "2", "n": 1}), do.put({"id": "3"})],
            [do.put({"id": "3"}), do.put({"id": "2"})], [do.create({"id": "2"}), do.put({"id": "3"})],
            [do.put({"id": "2"}, when=F.n == 1), do.put({"id": "3"})], [do.delete(id="2"), do.put({"id": "3"})],
        ]  # fmt: skip
        for actions in others:
            with pytest.raises(IdempotencyMismatch):
                counter.database.transact_write(actions, token=own_token(counter))
        assert_same_items([{"id": "1", "n": 0}, {"id": "2"}, {"id": "3"}], counter.scan())

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_the_token_of_a_failed_transaction_is_free(self, counter: BoundTable) -> None:
        """It may be used for the same content again, or for other content."""
        failing = [counter.actions.put({"id": "2"}, when=F.n == 1)]
        for _ in range(2):
            with pytest.raises(TransactionFailed):
                counter.database.transact_write(failing, token=own_token(counter))
        result = counter.database.transact_write([counter.actions.put({"id": "3"})], token=own_token(counter))
        assert (result.replayed, counter.find(id="3")) == (False, {"id": "3"})

    @rule("TXN-8", "TTL-6")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_a_token_expires_after_ten_minutes(self, counter: BoundTable, clock: FakeClock) -> None:
        """A replay within ten minutes; a transaction of its own after them."""
        actions = [counter.actions.update(id="1", add={"n": 1})]
        replayed = []
        for seconds in (0, 599, 2):
            clock.advance(seconds)
            replayed.append(counter.database.transact_write(actions, token=own_token(counter)).replayed)
        assert (replayed, counter.get(id="1")["n"]) == ([False, True, False], 2)

    @rule("TXN-8")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_a_token_holds_on_another_handle(self, counter: BoundTable, open_database: OpenDatabase) -> None:
        """The store knows the token, not the database object."""
        actions = [counter.actions.update(id="1", add={"n": 1})]
        counter.database.transact_write(actions, token=own_token(counter))
        other = open_database(FaultyBackend(counter.database.backend))
        assert other.transact_write(actions, token=own_token(counter)).replayed is True
        assert counter.get(id="1")["n"] == 1

    @rule("TXN-8", "LYR-1")
    @requires(Capability.TRANSACT_WRITE, Capability.IDEMPOTENCY_TOKEN)
    def test_another_target_is_another_content(self, make_table: MakeTable) -> None:
        """What a layer sends to another table or key is no replay, though the caller asked for the same."""
        first, second = make_table(), make_table()
        token, content = own_token(first), b"what the caller asked for"

        def send(table: BoundTable, key: str, n: int) -> bool:
            put = op.Put(Context(), table.schema, {"id": key, "n": n})
            result: Any = table.database.execute(op.TransactWrite(Context(), (put,), token, content))
            return bool(result.replayed)

        assert [send(first, "1", 1), send(first, "1", 2)] == [False, True]
        for table, key in ((second, "1"), (first, "2")):
            with pytest.raises(IdempotencyMismatch):
                send(table, key, 1)
        assert (list(first.scan()), list(second.scan())) == ([{"id": "1", "n": 1}], [])
