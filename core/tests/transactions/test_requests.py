"""What a unit of work sends: no more reads than it needs, one transaction, one action for each item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import isthmus
from core.tests.transactions.recording import Recording
from isthmus import BoundTable, Capability, Plugin, Unsupported, hookimpl
from isthmus import operations as op
from isthmus.errors import Conflict, DeadlineExceeded, PluginError, TransactionFailed, UnsupportedOperation
from isthmus.layers import Flow, Layer, Stage
from isthmus.results import GetResult

Use = Callable[[Any], object]


@pytest.fixture
def backend() -> Recording:
    """The store."""
    return Recording()


@pytest.fixture
def table(backend: Recording) -> Iterator[BoundTable]:
    """A table with two items."""
    with isthmus.connect(backend) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": "1", "n": 1}, {"id": "2", "n": 2}]).raise_for_failures()
        backend.take()
        yield table


@pytest.mark.parametrize(
    ("use", "kinds"),
    [
        (lambda _inside: None, []),
        (lambda inside: inside.get(id="1"), ["get"]),
        (lambda inside: (inside.get(id="1"), inside.get(id="1"), inside.find(id="1")), ["get"]),
        (lambda inside: (inside.get(id="1"), inside.get(id="2")), ["get", "get", "transact_write"]),
        (lambda inside: inside.get_many([{"id": "1"}, {"id": "2"}]), ["transact_get"]),
        (lambda inside: (inside.get(id="1"), inside.get_many([{"id": "1"}, {"id": "2"}])),
         ["get", "get", "transact_write"]),
        (lambda inside: inside.put({"id": "1"}), ["transact_write"]),
        (lambda inside: (inside.put({"id": "1"}), inside.get(id="1"), inside.delete(id="1")), ["transact_write"]),
        (lambda inside: inside.put({"id": "1"}, returning="new"), ["transact_write"]),
        (lambda inside: inside.update(id="1", add={"n": 1}), ["get", "transact_write"]),
        (lambda inside: inside.delete_many([{"id": "1"}, {"id": "2"}]), ["transact_get", "transact_write"]),
    ],
)  # fmt: skip
def test_no_more_is_sent_than_needed(backend: Recording, table: BoundTable, use: Use, kinds: list[str]) -> None:
    """Known items are not read again, a plain put reads nothing, and reads of one moment need no validation."""
    with table.database.transaction() as tx:
        use(tx.table(table))
    assert backend.kinds == kinds


def sent_actions(backend: Recording) -> list[tuple[type[op.Action], bool]]:
    """The actions of the transaction that was sent, and whether each depends on what was read."""
    (sent,) = [operation for operation in backend.take() if isinstance(operation, op.TransactWrite)]
    return [(type(action), action.unchanged is not None) for action in sent.actions]


@pytest.mark.parametrize(
    ("use", "action"),
    [
        (lambda inside: inside.put({"id": "1"}), (op.Put, False)),
        (lambda inside: inside.put({**inside.get(id="1"), "m": 1}), (op.Put, True)),
        (lambda inside: inside.update(id="1", add={"n": 1}), (op.Update, True)),
        (lambda inside: (inside.update(id="1", add={"n": 1}), inside.update(id="1", add={"n": 1})), (op.Put, True)),
        (lambda inside: (inside.put({"id": "1"}), inside.update(id="1", set={"n": 1})), (op.Put, False)),
        (lambda inside: inside.create({"id": "3"}), (op.Create, True)),
        (lambda inside: (inside.create({"id": "3"}), inside.update(id="3", set={"n": 1})), (op.Create, True)),
        (lambda inside: inside.delete(id="1"), (op.Delete, True)),
        (lambda inside: (inside.update(id="1", add={"n": 1}), inside.delete(id="1")), (op.Delete, True)),
        (lambda inside: (inside.put({"id": "3"}), inside.delete(id="3")), (op.Delete, False)),
        (lambda inside: (inside.create({"id": "3"}), inside.delete(id="3")), (op.Check, True)),
        (lambda inside: (inside.delete(id="1"), inside.create({"id": "1"})), (op.Put, True)),
    ],
)
def test_each_item_is_one_action(
    backend: Recording, table: BoundTable, use: Use, action: tuple[type[op.Action], bool]
) -> None:
    """A single write goes as it was asked for, several as what they leave."""
    with table.database.transaction() as tx:
        use(tx.table(table))
    assert sent_actions(backend) == [action]


class Rewriting(Plugin):
    """A layer that makes answers of its own of single reads."""

    name = "rewriting"

    @hookimpl
    def isthmus_layers(self) -> list[Layer]:  # type: ignore[override]  # may leave out arguments
        return [_Rewriting()]


class _Rewriting(Layer):
    name = "rewriting"
    stage = Stage.TRANSFORM
    handles = (op.Get,)

    def flow(self, operation: op.Operation) -> Flow:
        found = yield operation
        return GetResult(found.item)


def test_a_layer_that_drops_revisions_is_found() -> None:
    """Nothing could be validated then."""
    with isthmus.connect("memory://", plugins=[Rewriting()]) as database:
        table = database.table("things", partition_key="id").ensure()
        with pytest.raises(PluginError, match="revision"), database.transaction() as tx:
            tx.table(table).find(id="1")


@pytest.mark.parametrize(
    ("lacking", "options"),
    [
        (Capability.REVISION, {}), (Capability.TRANSACT_WRITE, {}),
        (Capability.IDEMPOTENCY_TOKEN, {"token": "mine"}),
    ],
)  # fmt: skip
def test_what_the_backend_lacks_is_refused_at_the_beginning(
    backend: Recording, lacking: Capability, options: dict[str, Any]
) -> None:
    """Not after the body has run."""
    backend.capabilities = backend.capabilities.replace({lacking: Unsupported("this store has none")})
    with isthmus.connect(backend) as database:
        with pytest.raises(UnsupportedOperation, match="this store has none"), database.transaction(**options):
            raise AssertionError("the body ran")
        assert backend.seen == []


def test_conflicts_name_their_reasons(table: BoundTable) -> None:
    """The cause has one for each item, in the order in which they were met."""

    def work() -> None:
        with table.database.transaction() as tx:
            inside = tx.table(table)
            inside.get(id="1")
            inside.update(id="2", add={"n": 1})
            inside.put({"id": "3"})
            table.update(id="2", add={"n": 1})

    with pytest.raises(Conflict, match="1 of the 3 items") as raised:
        work()
    cause = raised.value.__cause__
    assert isinstance(cause, TransactionFailed)
    assert [None if reason is None else reason.code for reason in cause.reasons] == [None, "item_changed", None]
    assert (raised.value.retryable, raised.value.table) == (True, "things")


def test_one_timeout_covers_everything(backend: Recording, table: BoundTable) -> None:
    """What is sent at the end has no more time than what was read."""
    with table.database.transaction(timeout=60) as tx:
        inside = tx.table(table)
        inside.get(id="1", timeout=1_000)
        inside.get(id="2", timeout=0.5)
        inside.put({"id": "3"})
    first, second, commit = (operation.context.deadline for operation in backend.take())
    assert first == commit
    assert second is not None
    assert first is not None
    assert second < first
    with pytest.raises(DeadlineExceeded), table.database.transaction(timeout=1e-9) as tx:
        tx.table(table).get(id="1")
