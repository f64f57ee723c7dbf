"""Writes that are sent again after their answer was lost: applied exactly once, or known to be unknown (rule CND-7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from isthmus import BoundTable, Capability, F
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    IsthmusError,
    OutcomeUnknown,
    TransactionFailed,
)
from isthmus_conformance.base import requires
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.lost_answers import (
    ONCE,
    Connect,
    LostAnswersSuite,
    Write,
    contents,
    lost,
    skip_without_transactions,
)

REMOVALS: Final[Mapping[str, Write]] = {
    "conditional delete": lambda table: table.delete(id="1", when=F.n == 1),
    "pop": lambda table: table.pop(id="1"),
}
"""Writes that leave nothing by which they could be known again."""

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


class RepeatSuite(LostAnswersSuite):
    """The answer to a write is lost, before or after the store applied it."""

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
        skip_without_transactions(plain, write)
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
