"""Which requests a write, a read and a transaction lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isthmus import BoundTable, F, Table
from isthmus.errors import (
    BackendError,
    ConditionFailed,
    Conflict,
    IdempotencyMismatch,
    InvalidArgument,
    InvalidPath,
    IsthmusError,
    OutcomeUnknown,
    PermissionDenied,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from isthmus.operations import Context, Create, CreateTable, Get, Put, TransactGet
from isthmus_dynamodb.failures import MEANINGS, translated
from isthmus_dynamodb.known_tables import TrustedTables
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.native import AnswerLost, NotSent, Request, ServiceError
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.transactions import transact_get
from plugins.dynamodb.tests.stored import NOW, Store, carried_out, open_store, refusal


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database without retries."""
    with open_store(dynamodb_url) as opened:
        yield opened


@pytest.fixture
def table(store: Store) -> BoundTable:
    """A table that was met before, with one item."""
    table = store.database.table("writes", partition_key="id", ttl="expires")
    table.ensure()
    table.put({"id": "1", "n": 1, "m": {"x": 1}})
    store.recorder.sent.clear()
    return table


def parameters(store: Store, place: int = 0) -> Any:
    """The parameters of one of the recorded requests."""
    return store.recorder.sent[place].parameters


def test_a_plain_put_is_a_table_and_an_item(store: Store, table: BoundTable) -> None:
    """Nothing else is sent for a write that may be repeated."""
    table.put({"id": "2", "n": 5})
    assert store.recorder.actions == ["PutItem"]
    sent = parameters(store)
    assert len(sent["Item"].pop("__rv")["S"]) == 13
    assert sent == {"TableName": f"{store.prefix}writes", "Item": {"id": {"S": "2"}, "n": {"N": "5"}}}


@pytest.mark.parametrize(
    ("call", "actions"),
    [
        (lambda table: table.get(id="1"), ["GetItem"]),
        (lambda table: table.create({"id": "2"}), ["PutItem"]),
        (lambda table: table.put({"id": "1"}, when=F.n == 1), ["PutItem"]),
        (lambda table: table.update(id="1", add={"n": 1}, when=F.m.x == 1), ["UpdateItem"]),
        (lambda table: table.update(id="1", add={F.m.y: 1}, append={"l": [1]}, create_lists=True), ["UpdateItem"]),
        (lambda table: table.update(id="2", add={"n": 1}, upsert=True), ["UpdateItem"]),
        (lambda table: table.delete(id="1"), ["DeleteItem"]),
        (lambda table: table.delete(id="1", when=F.n == 1), ["DeleteItem"]),
        (lambda table: table.update(id="1", add={F.m.s: {"a"}}), ["GetItem", "UpdateItem"]),
        (lambda table: table.update(id="1", remove=F.q.r), ["UpdateItem", "GetItem", "UpdateItem"]),
    ],
)
def test_most_writes_are_one_request(store: Store, table: BoundTable, call: Any, actions: list[str]) -> None:
    """What the service can't express takes a read and a write on what was read."""
    call(table)
    assert store.recorder.actions == actions


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda table: table.update(id="1", set={F.q.r: 1}), InvalidPath),
        (lambda table: table.update(id="1", set={"n": 2}, when=F.n == 2), ConditionFailed),
    ],
)
def test_failures_are_judged_and_not_read(table: BoundTable, call: Any, error: type[IsthmusError]) -> None:
    """The evaluator says what is wrong, whatever the service's message is."""
    with pytest.raises(error):
        call(table)


def test_an_expired_item_is_replaced_by_an_update(store: Store, table: BoundTable) -> None:
    """None of its attributes survive, and its condition is judged on nothing."""
    expired = {"id": {"S": "3"}, "n": {"N": "7"}, "expires": {"N": str(NOW - 5)}}
    store.put_raw("writes", expired)
    assert table.find(id="3") is None
    table.update(id="3", add={"n": 1}, when=F.n.not_exists(), upsert=True)
    assert table.get(id="3") == {"id": "3", "n": 1}


class TestInTheWay:
    """Other writers between the read and the write of a swap."""

    @pytest.fixture
    def swap(self, store: Store, table: BoundTable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Runs an update that reads first, with something done after each of the first reads."""

        def run(between: Callable[[], None], times: int) -> None:
            carry_on, left = store.recorder.transport.send, [times]

            def send(request: Any, deadline: float | None) -> Any:
                answer = carry_on(request, deadline)
                if request.action in ("GetItem", "UpdateItem") and left[0]:
                    left[0] -= 1
                    between()
                return answer

            monkeypatch.setattr(type(store.recorder.transport), "send", lambda _self, *given: send(*given))
            table.update(id="1", add={F.m.s: {"a"}})

        return run

    def test_their_changes_survive(self, store: Store, table: BoundTable, swap: Callable[..., None]) -> None:
        """The update is judged again on what they left; what it does not touch may change meanwhile."""
        changes = iter(["m.x", "o"])

        def between() -> None:
            names = {f"#{place}": name for place, name in enumerate(next(changes).split("."))}
            store.client.update_item(
                TableName=f"{store.prefix}writes", Key={"id": {"S": "1"}}, ExpressionAttributeNames=names,
                UpdateExpression=f"SET {'.'.join(names)} = :v", ExpressionAttributeValues={":v": {"N": "9"}},
            )  # fmt: skip

        swap(between, 1)
        swap(between, 1)
        assert table.get(id="1") == {"id": "1", "n": 1, "o": 9, "m": {"x": 9, "s": frozenset({"a"})}}

    def test_a_refused_swap_is_no_cause_of_itself(
        self, store: Store, table: BoundTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The chain of causes ends with the service's error."""
        carry_on = store.recorder.transport.send

        def send(_self: Any, request: Any, deadline: float | None) -> Any:
            if request.action == "UpdateItem":
                raise refusal("AccessDeniedException")
            return carry_on(request, deadline)

        monkeypatch.setattr(type(store.recorder.transport), "send", send)
        with pytest.raises(PermissionDenied) as raised:
            table.update(id="1", add={F.m.s: {"a"}})
        assert isinstance(raised.value.__cause__, ServiceError)
        assert raised.value.__cause__.__cause__ is None


class TestTokens:
    """The table of tokens."""

    def test_it_is_made_when_it_is_needed_and_never_listed(self, store: Store, table: BoundTable) -> None:
        """The first token takes more requests, the next one a single one."""
        actions = [table.actions.update(id="1", add={"n": 1})]
        store.database.transact_write(actions, token="one")
        assert "CreateTable" in store.recorder.actions
        store.recorder.sent.clear()
        assert store.database.transact_write(actions, token="two").replayed is False
        assert store.recorder.actions == ["TransactWriteItems"]
        assert (store.database.tables.list(), table.get(id="1")["n"]) == (["writes"], 3)

    def test_other_content_is_refused(self, store: Store, table: BoundTable) -> None:
        """Also when the transaction itself would fail."""
        store.database.transact_write([table.actions.put({"id": "2"})], token="one")
        with pytest.raises(IdempotencyMismatch):
            store.database.transact_write([table.actions.create({"id": "2"})], token="one")

    def test_one_action_less_fits(self, store: Store, table: BoundTable) -> None:
        """The token takes the place of an action."""
        actions = [table.actions.put({"id": f"{number}"}) for number in range(100)]
        with pytest.raises(InvalidArgument, match="up to 99 actions"):
            store.database.transact_write(actions, token="one")
        store.database.transact_write(actions[:99], token="one")
        assert table.scan().count() == 99


class TestOperationIds:
    """Ids in items."""

    def test_an_item_without_room_goes_without(self, store: Store, table: BoundTable) -> None:
        """An item of exactly the limit is written all the same."""
        most = store.database.limits.item_bytes
        item = {"id": "2", "x": "y" * (most - 4)}
        table.create(item)
        assert table.get(id="2") == item
        assert "__op" not in store.client.get_item(TableName=f"{store.prefix}writes", Key={"id": {"S": "2"}})["Item"]

    @pytest.mark.parametrize("way", ["alone", "in a transaction", "with a token"])
    def test_an_item_that_grows_to_the_limit_loses_its_id(self, store: Store, table: BoundTable, way: str) -> None:
        """There is no room either for the id of an older write."""
        most = store.database.limits.item_bytes
        table.create({"id": "2", "x": "y" * (most - 100)})
        if way == "alone":
            table.update(id="2", set={"x": "y" * (most - 4)})
        else:
            growth = table.actions.update(id="2", set={"x": "y" * (most - 4)})
            store.database.transact_write([growth], token="growth" if way == "with a token" else None)
        found = store.client.get_item(TableName=f"{store.prefix}writes", Key={"id": {"S": "2"}})["Item"]
        assert (set(found), len(found["x"]["S"])) == ({"id", "x"}, most - 4)

    def test_it_is_then_not_repeated(self, store: Store, table: BoundTable, monkeypatch: pytest.MonkeyPatch) -> None:
        """A lost answer leaves the outcome unknown, also to resolve()."""
        carry_on = store.recorder.transport.send

        def send(request: Any, deadline: float | None) -> Any:
            answer = carry_on(request, deadline)
            if request.action == "PutItem":
                raise AnswerLost("gone")
            return answer

        monkeypatch.setattr(type(store.recorder.transport), "send", lambda _self, *given: send(*given))
        with pytest.raises(OutcomeUnknown) as raised:
            table.create({"id": "2", "x": "y" * (store.database.limits.item_bytes - 4)})
        assert store.database.resolve(str(raised.value.operation_id)) == "unknown"

    def test_they_can_be_turned_off(self, dynamodb_url: str) -> None:
        """Items then stay as callers wrote them."""
        with open_store(dynamodb_url, operation_ids=False) as store:
            table = store.database.table("writes", partition_key="id")
            table.ensure()
            table.create({"id": "1"})
            found = store.client.get_item(TableName=f"{store.prefix}writes", Key={"id": {"S": "1"}})["Item"]
            assert found == {"id": {"S": "1"}}


THINGS = Table("things", "id")
PUT = Put(Context(), None, {})  # type: ignore[arg-type]  # no table is looked at
GET = Get(Context(), None, {})  # type: ignore[arg-type]
CREATE = Create(Context(), None, {})  # type: ignore[arg-type]


class TestTransactionalReads:
    """What the service answers to a read of several items."""

    def test_missing_items_and_empty_ones_differ(self) -> None:
        """Keys come with a projection; null entries stand for nothing."""
        gets = tuple(Get(Context(), THINGS, {"id": name}, (("n",),)) for name in "abc")
        service = Service(lambda: NOW, TableNames(""), TrustedTables(TableNames("")))
        answer = {"Responses": [{"Item": {"id": {"S": "a"}}}, {}, None]}
        result, (request,) = carried_out(transact_get(TransactGet(Context(), gets), service), [answer])
        assert result.items == ({}, None, None)
        assert isinstance(request, Request)
        names = request.parameters["TransactItems"][0]["Get"]["ExpressionAttributeNames"]
        assert sorted(names.values()) == ["id", "n"]


class TestFailures:
    """What the service's codes mean."""

    @pytest.mark.parametrize(
        ("code", "kind", "retryable", "maybe_applied"),
        [
            ("ProvisionedThroughputExceededException", Throttled, True, False),
            ("ThrottlingException", Throttled, True, False),
            ("RequestLimitExceeded", Throttled, True, False),
            ("TransactionConflictException", Conflict, True, False),
            ("TransactionInProgressException", Conflict, True, False),
            ("AccessDeniedException", PermissionDenied, False, False),
            ("UnrecognizedClientException", Unauthenticated, False, False),
            ("ExpiredTokenException", Unauthenticated, False, False),
            ("InternalServerError", Unavailable, True, True),
            ("ServiceUnavailable", Unavailable, True, True),
            ("ValidationException", BackendError, False, False),
            ("RequestTimeTooSkewed", Unauthenticated, False, False),
            ("ThrottledException", Throttled, True, False),
            ("TooManyRequestsException", Throttled, True, False),
            ("RequestThrottled", Throttled, True, False),
            ("AccessDenied", PermissionDenied, False, False),
            ("RequestTimeoutException", Unavailable, True, True),
        ],
    )
    def test_codes(self, code: str, kind: type[IsthmusError], retryable: bool, maybe_applied: bool) -> None:
        """Class, whether to repeat, and whether a write may have been applied."""
        error = translated(refusal(code), PUT)
        assert error is not None
        assert (type(error), error.retryable, error.maybe_applied) == (kind, retryable, maybe_applied)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, BackendError), (401, Unauthenticated), (403, PermissionDenied), (408, Unavailable), (429, Throttled),
            (500, Unavailable), (503, Unavailable),
        ],
    )  # fmt: skip
    def test_unknown_codes_go_by_their_status(self, status: int, kind: type[IsthmusError]) -> None:
        """A server's error may be over later."""
        assert type(translated(refusal("NeverHeardOf", status), PUT)) is kind

    @pytest.mark.parametrize("code", MEANINGS)
    def test_reads_are_never_applied(self, code: str) -> None:
        """Whatever the code says."""
        error = translated(refusal(code), GET)
        assert error is not None
        assert error.maybe_applied is False

    def test_messages_hold_no_text_of_the_service(self) -> None:
        """That may hold values; it stays in the cause, and the request id goes along."""
        native = ServiceError("ValidationException", "secret", status=400, body={}, request_id="r1")
        error = translated(native, CREATE)
        assert error is not None
        assert ("secret" in str(error), error.request_id) == (False, "r1")

    @pytest.mark.parametrize(("native", "maybe_applied"), [(NotSent("no"), False), (AnswerLost("no"), True)])
    def test_lost_requests_and_lost_answers(self, native: Exception, maybe_applied: bool) -> None:
        """What was not sent was not applied."""
        error = translated(native, CREATE)
        assert error is not None
        assert (type(error), error.retryable, error.maybe_applied) == (Unavailable, True, maybe_applied)

    @pytest.mark.parametrize("action", ["DescribeTable", "GetItem", "TransactGetItems"])
    @pytest.mark.parametrize("native", [AnswerLost("gone"), refusal("InternalServerError", 500)])
    def test_a_read_inside_a_write_applies_nothing(self, native: AnswerLost | ServiceError, action: str) -> None:
        """What a write asks before it writes may fail without any doubt about the write."""
        native.action = action
        error = translated(native, CREATE)
        assert error is not None
        assert error.maybe_applied is False

    def test_a_table_may_be_made_when_it_is_looked_at(self) -> None:
        """The look follows the effect."""
        native = AnswerLost("gone")
        native.action = "DescribeTable"
        error = translated(native, CreateTable(Context(), Table("things", "id")))
        assert error is not None
        assert error.maybe_applied is True

    @pytest.mark.parametrize(("lost", "maybe_applied"), [("DescribeTable", False), ("PutItem", True)])
    def test_the_backend_tells_what_was_asked(
        self, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch, lost: str, maybe_applied: bool
    ) -> None:
        """A lost answer to the look at the table leaves a create without doubt."""
        with open_store(dynamodb_url) as store:
            store.create_raw("writes", "id:S")
            carry_on = store.recorder.transport.send

            def send(_self: Any, request: Any, deadline: float | None) -> Any:
                answer = carry_on(request, deadline)
                if request.action == lost:
                    raise AnswerLost("gone")
                return answer

            monkeypatch.setattr(type(store.recorder.transport), "send", send)
            with pytest.raises(IsthmusError) as raised:
                store.database.table("writes", partition_key="id").create({"id": "1"})
            assert raised.value.maybe_applied is maybe_applied

    def test_errors_of_others_are_left_alone(self) -> None:
        """A mistake in a plan is no failure of the service."""
        assert translated(KeyError("x"), CREATE) is None
