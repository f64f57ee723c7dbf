"""Writes that are sent again after their answer was lost: applied exactly once, or known to be unknown (rule CND-7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import pytest

from isthmus import BoundTable, Capability, F, Key, Table, Unsupported
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    IsthmusError,
    OutcomeUnknown,
    TransactionFailed,
    Unavailable,
)
from isthmus.operation_ids import public_id
from isthmus.operations import Action, Context, Put
from isthmus.schema import KeyType
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires, skip_unsupported
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.retries import QUICK

Write = Callable[[BoundTable], Any]


def _transacted(table: BoundTable) -> Any:
    actions: list[Action] = [table.actions.update(id="1", add={"n": 1}), table.actions.create({"id": "2", "n": 1})]
    return table.database.transact_write(actions)


ONCE: Final[Mapping[str, Write]] = {
    "create": lambda table: table.create({"id": "2", "n": 1}),
    "conditional put": lambda table: table.put({"id": "1", "n": 2}, when=F.n == 1),
    "conditional put of a new item": lambda table: table.put({"id": "2"}, when=F.n.not_exists()),
    "increment": lambda table: table.update(id="1", add={"n": 1}),
    "append": lambda table: table.update(id="1", append={"list": ["x"]}),
    "conditional update": lambda table: table.update(id="1", set={"n": 2}, when=F.n == 1),
    "upsert": lambda table: table.update(id="2", add={"n": 1}, upsert=True),
    "transaction": _transacted,
}
"""Writes that leave an item, on a table that holds ``{"id": "1", "n": 1, "list": []}``."""

REMOVALS: Final[Mapping[str, Write]] = {
    "conditional delete": lambda table: table.delete(id="1", when=F.n == 1),
    "pop": lambda table: table.pop(id="1"),
}
"""Writes that leave nothing by which they could be known again."""

PLAIN_WRITES: Final[Mapping[str, Write]] = {
    "put": lambda table: table.put(table.get(id="1")),
    "batch": lambda table: table.put_many([table.get(id="1")]),
}
"""Writes that carry no id, and leave the item as they found it."""


COVER: Final[Mapping[str, Any]] = {"id": "1", "n": 1, "list": [], "cover": True}
COVERS: Final[Mapping[str, Write]] = {
    "put": lambda table: table.put(COVER),
    "batch": lambda table: table.put_many([COVER]).raise_for_failures(),
    "removal": lambda table: table.delete(id="1"),
    "batch of removals": lambda table: table.delete_many([{"id": "1"}]).raise_for_failures(),
}
"""Writes of others that carry no id."""

NEEDING_AN_ITEM: Final[Mapping[str, Write]] = {
    "conditional put": lambda table: table.put({"id": "1", "n": 2}, when=F.n == 1),
    "increment": lambda table: table.update(id="1", add={"n": 1}),
    "append": lambda table: table.update(id="1", append={"list": ["x"]}),
    "conditional update": lambda table: table.update(id="1", set={"n": 2}, when=F.n == 1),
    "conditional upsert": lambda table: table.update(id="1", set={"n": 2}, when=F.n == 1, upsert=True),
    "conditional delete": lambda table: table.delete(id="1", when=F.n == 1),
    "pop": lambda table: table.pop(id="1"),
}
"""Writes that mean nothing where no item is."""


_KEY_TYPES: Final[Mapping[type, KeyType]] = {str: "string", int: "number", bytes: "binary"}


def id_of(moment: float) -> str:
    """An operation id of a moment, in seconds since the epoch."""
    return f"{int(moment * 1000):011x}{'0' * 13}"


def lost(*, applied: bool = True, then: Callable[[], None] | None = None) -> Fault:
    """An answer that never arrives."""
    return Fault(Unavailable("the connection broke", maybe_applied=True), applied=applied, then=then)


class Connect(Protocol):
    """Opens the table under test through a backend with planned faults."""

    def __call__(self, *plan: Fault) -> BoundTable: ...


class RepeatSuite(Suite):
    """The answer to a write is lost, before or after the store applied it."""

    @pytest.fixture
    def plain(self, make_table: MakeTable) -> BoundTable:
        """The table, without faults; its item has the id of an older write."""
        table = make_table()
        write_long_ago(table, {"id": "1", "n": 1, "list": []})
        return table

    @pytest.fixture
    def connected(self, plain: BoundTable, open_database: OpenDatabase) -> Connect:
        """Opens the table with faults between the core and the backend under test."""

        def connect(*plan: Fault) -> BoundTable:
            backend = FaultyBackend(plain.database.backend, plan, identifying=True)
            return open_database(backend, retry_policy=QUICK).table(plain.schema)

        return connect

    @pytest.fixture
    def expected(self, make_table: MakeTable) -> Callable[[Write], list[Any]]:
        """What a table holds after a write that met no fault."""

        def after(write: Write) -> list[Any]:
            table = make_table()
            table.put({"id": "1", "n": 1, "list": []})
            write(table)
            return contents(table)

        return after

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("times", [1, 3])
    @pytest.mark.parametrize("applied", [True, False])
    @pytest.mark.parametrize("write", ONCE)
    def test_a_write_is_applied_once(
        self,
        connected: Connect,
        plain: BoundTable,
        expected: Callable[[Write], list[Any]],
        write: str,
        applied: bool,
        times: int,
    ) -> None:
        """Whether the lost answers were to attempts that were applied or not, the call succeeds with one effect."""
        _skip_without_transactions(plain, write)
        ONCE[write](connected(*[lost(applied=applied)] * times))
        assert contents(plain) == expected(ONCE[write])

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("write", REMOVALS)
    def test_a_removal_is_unknown(self, connected: Connect, plain: BoundTable, write: str) -> None:
        """No item is left that could tell who removed it, so the outcome is unknown, not a failed condition."""
        with pytest.raises(OutcomeUnknown) as caught:
            REMOVALS[write](connected(lost()))
        assert (caught.value.operation_id, contents(plain)) == (None, [])

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("write", ["increment", "conditional update", "conditional put"])
    def test_another_writer_makes_it_unknown(self, connected: Connect, plain: BoundTable, write: str) -> None:
        """Somebody else's write may have taken the place of ours: never a second effect, never a failed condition."""

        def meanwhile() -> None:
            connected().update(id="1", add={"n": 10})

        with pytest.raises(OutcomeUnknown):
            ONCE[write](connected(lost(then=meanwhile)))
        assert plain.get(id="1")["n"] == 12

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize(
        ("write", "error"),
        [
            (lambda table: table.create({"id": "1"}), AlreadyExists),
            (lambda table: table.put({"id": "1"}, when=F.n == 5), ConditionFailed),
            (lambda table: table.update(id="1", set={"n": 2}, when=F.n == 5), ConditionFailed),
            (lambda table: table.update(id="1", add={"list": 1}), InvalidArgument),
        ],
    )
    def test_what_was_not_applied_fails_as_ever(
        self, connected: Connect, plain: BoundTable, write: Write, error: type[IsthmusError]
    ) -> None:
        """The repetition settles the outcome: a plain failure, with nothing applied."""
        with pytest.raises(error) as caught:
            write(connected(lost(applied=False)))
        assert (caught.value.maybe_applied, contents(plain)) == (False, [{"id": "1", "n": 1, "list": []}])

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("cover", COVERS)
    @pytest.mark.parametrize("applied", [True, False])
    @pytest.mark.parametrize("write", NEEDING_AN_ITEM)
    def test_a_writer_without_an_id_makes_it_unknown(
        self, connected: Connect, plain: BoundTable, write: str, applied: bool, cover: str
    ) -> None:
        """A plain put, a batch or a removal takes the trace away: what was left is kept, and no failure is claimed."""

        def meanwhile() -> None:
            COVERS[cover](plain)

        plan = [lost(applied=True, then=meanwhile)]
        if not applied:
            meanwhile()
            plan = [lost(applied=False)]
        with pytest.raises(OutcomeUnknown):
            NEEDING_AN_ITEM[write](connected(*plan))
        assert contents(plain) == ([] if "remov" in cover else [COVER])

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("cover", ["put", "batch"])
    def test_a_creation_under_a_writer_without_an_id_is_unknown(
        self, connected: Connect, plain: BoundTable, cover: str
    ) -> None:
        """Not said to exist already: this call may have created it."""
        plain.delete(id="1")
        with pytest.raises(OutcomeUnknown):
            connected(lost(then=lambda: COVERS[cover](plain))).create({"id": "1"})
        assert contents(plain) == [COVER]

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    def test_an_item_that_was_missing_is_unknown(self, connected: Connect, plain: BoundTable) -> None:
        """It may have been updated and then removed, so it is not said to be not found."""
        with pytest.raises(OutcomeUnknown):
            connected(lost(applied=False)).update(id="9", set={"n": 2})
        assert contents(plain) == [{"id": "1", "n": 1, "list": []}]

    @rule("CND-7", "TXN-6")
    @requires(Capability.OPERATION_ID, Capability.TRANSACT_WRITE)
    def test_a_failed_transaction_is_no_unknown_one(self, connected: Connect, plain: BoundTable) -> None:
        """The reasons come from the repetition."""
        table = connected(lost(applied=False))
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([table.actions.put({"id": "3"}), table.actions.create({"id": "1"})])
        assert [type(reason) for reason in caught.value.reasons] == [type(None), AlreadyExists]
        assert contents(plain) == [{"id": "1", "n": 1, "list": []}]

    @rule("CND-7")
    @requires(Capability.OPERATION_ID, Capability.RETURN_NEW)
    def test_the_new_image_is_given_after_a_lost_answer(self, connected: Connect) -> None:
        """The recognised item is the new image, without any trace of the id."""
        found = connected(lost()).update(id="1", add={"n": 1}, returning="new")
        assert found == {"id": "1", "n": 2, "list": []}

    @rule("CND-7")
    @requires(Capability.OPERATION_ID, Capability.RETURN_OLD)
    def test_a_lost_old_image_is_unknown(self, connected: Connect, plain: BoundTable) -> None:
        """The write is known to be applied once, but nobody knows what was there before."""
        with pytest.raises(OutcomeUnknown) as caught:
            connected(lost()).update(id="1", add={"n": 1}, returning="old")
        assert plain.get(id="1")["n"] == 2
        assert plain.database.resolve(str(caught.value.operation_id)) == "applied"

    @rule("CND-7")
    @requires(Capability.OPERATION_ID)
    @pytest.mark.parametrize("write", ONCE)
    def test_an_applied_write_is_resolved(self, connected: Connect, plain: BoundTable, write: str) -> None:
        """When no attempt is answered, the id in the error tells later that the write was applied."""
        _skip_without_transactions(plain, write)
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


def write_long_ago(table: BoundTable, item: Mapping[str, Any]) -> None:
    """Put an item with the operation id of an hour ago, beneath the core."""
    context = Context(operation_id=id_of(time.time() - 3600))
    table.database.backend.execute(table.actions.put(item).with_context(context))


def contents(table: BoundTable) -> list[Any]:
    """All items, by their key."""
    return sorted(table.scan(), key=lambda item: str(item["id"]))


def _skip_without_transactions(table: BoundTable, write: str) -> None:
    if write == "transaction":
        level = table.database.capabilities[Capability.TRANSACT_WRITE]
        if isinstance(level, Unsupported):
            skip_unsupported(Capability.TRANSACT_WRITE, level)
