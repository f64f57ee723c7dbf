"""A write whose answer is lost happens once, and is never reported as failed (rule CND-7)."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable
from typing import get_args

import pytest

from isthmus import F, aconnect
from isthmus.errors import ConditionFailed, OutcomeUnknown
from tests.faults.effects import Effect, LateRequest, LostAnswer, LostRequest
from tests.faults.places import ONCE, QUICK, Place
from tests.faults.rounds import Outcome, Write, asaid, awrite, effects, said, started, tally, write

ROUNDS = 200
FEW = 20
MORE_THAN_ALL_ATTEMPTS = 100
REQUESTS = {
    "mongodb": {
        "add": rb"\x02(update|findAndModify)\0", "create": rb"\x02(insert|update|findAndModify)\0",
        "transaction": rb"\x10commitTransaction\0",
    },
    "dynamodb": {"add": rb"\.UpdateItem", "create": rb"\.PutItem", "transaction": rb"\.TransactWriteItems"},
}  # fmt: skip
"""What tells the requests that apply a write, by engine."""
ANYTHING = rb"\x02(find|insert|update|findAndModify)\0.{4}faults-|\x10commitTransaction\0|DynamoDB_20120810"
"""What tells all requests for the tables of these tests."""
REQUESTS_BEFORE: dict[tuple[str, str], int] = {("mongodb", "transaction"): 3}
"""How many requests come before the one that applies a write: one that reads, two that write and are not committed."""

each_write = pytest.mark.parametrize("kind", get_args(Write))


def arm(at: Place, kind: Write, effect: Effect, times: int = 1) -> None:
    """Let the next requests that apply a write meet an effect, and none that was armed before."""
    at.proxy.disarm()
    at.proxy.arm(effect, REQUESTS[at.way.partition("-")[0]][kind], times=times)


def outcomes(at: Place, kind: Write, count: int, prepare: Callable[[], None]) -> list[Outcome]:
    """Rounds of one kind of write, each after ``prepare``."""
    found = []
    with at.opened() as database:
        table = database.table(at.schema)
        for key in started(at.plain, count):
            prepare()
            found.append((said(lambda: write(table, kind, key), at.plain), effects(at.plain, kind, key)))  # noqa: B023
            at.proxy.disarm()
    return found


@each_write
def test_a_lost_answer_leaves_one_effect(at: Place, kind: Write) -> None:
    """One to three answers are lost, each after the write was applied: every call succeeds, with one effect."""
    chance = random.Random(kind)
    found = outcomes(at, kind, ROUNDS, lambda: arm(at, kind, LostAnswer(), chance.choice([1, 1, 2, 3])))
    assert tally(found) == {("applied", 1): ROUNDS}
    assert at.proxy.met >= ROUNDS


@each_write
def test_a_lost_answer_leaves_one_effect_async(at: Place, kind: Write) -> None:
    """The same on an event loop."""

    async def rounds() -> list[Outcome]:
        found = []
        async with aconnect(at.faulty_url, retry_policy=QUICK) as database:
            table = database.table(at.schema)
            for key in started(at.plain, FEW):
                arm(at, kind, LostAnswer(), times=2)
                found.append((await asaid(awrite(table, kind, key), at.plain), effects(at.plain, kind, key)))
        return found

    assert tally(asyncio.run(rounds())) == {("applied", 1): FEW}
    assert at.proxy.met >= FEW


@each_write
def test_a_lost_request_is_sent_again(at: Place, kind: Write) -> None:
    """The server never saw the first attempts: the next one applies the write, once."""
    chance = random.Random(kind)
    found = outcomes(at, kind, FEW, lambda: arm(at, kind, LostRequest(), chance.choice([1, 2, 3])))
    assert tally(found) == {("applied", 1): FEW}
    assert at.proxy.met >= FEW


@each_write
def test_what_no_attempt_can_tell_is_settled_later(at: Place, kind: Write) -> None:
    """All answers are lost, so the call ends as unknown; the operation id in its error says that it was applied."""
    with at.opened() as database:
        key, other = started(at.plain, 2)
        write(database.table(at.schema), kind, other)  # what is looked up once for a table is known from here on
        at.proxy.arm(LostAnswer(), ANYTHING, skip=REQUESTS_BEFORE.get((at.way, kind), 0), times=MORE_THAN_ALL_ATTEMPTS)
        with pytest.raises(OutcomeUnknown) as caught:
            write(database.table(at.schema), kind, key)
        at.proxy.disarm()
        settled = at.plain.database.resolve(str(caught.value.operation_id))
        assert (settled, effects(at.plain, kind, key)) == ("applied", 1)


@each_write
def test_what_never_arrived_is_not_called_applied(at: Place, kind: Write) -> None:
    """All requests are lost: a plain failure, or unknown, and what is found out later is the truth."""
    prepare = functools.partial(at.proxy.arm, LostRequest(), ANYTHING, times=MORE_THAN_ALL_ATTEMPTS)
    assert outcomes(at, kind, 1, prepare)[0] in {("Unavailable", 0), ("not_applied", 0), ("unknown", 0)}


@each_write
def test_a_late_request_has_no_second_effect(at: Place, kind: Write) -> None:
    """The first attempt arrives after the second one has succeeded."""
    with at.opened() as database:
        table = database.table(at.schema)
        for key in started(at.plain, FEW):
            arm(at, kind, LateRequest())
            write(table, kind, key)
            assert (effects(at.plain, kind, key), at.proxy.release(), effects(at.plain, kind, key)) == (1, 1, 1)


@pytest.mark.parametrize("effect", [LostAnswer(), LateRequest()])
def test_a_condition_that_is_really_false_stays_false(at: Place, effect: Effect) -> None:
    """The counterpart: nothing was applied, and the repetition says so plainly."""
    with at.opened() as database:
        key = started(at.plain, 1)[0]
        arm(at, "add", effect)
        with pytest.raises(ConditionFailed) as caught:
            database.table(at.schema).update(id=key, add={"n": 1}, when=F.n == 5)
        assert (caught.value.maybe_applied, at.plain.get(id=key)["n"], at.proxy.met) == (False, 0, 1)


def test_without_retries_a_lost_answer_is_unknown(at: Place) -> None:
    """Nobody but the core repeats a request; PyMongo's own repetition has the server's protection."""
    with at.opened(ONCE) as database:
        key = started(at.plain, 1)[0]
        arm(at, "add", LostAnswer(), MORE_THAN_ALL_ATTEMPTS)
        with pytest.raises(OutcomeUnknown):
            database.table(at.schema).update(id=key, add={"n": 1})
        assert at.proxy.met == (2 if at.way == "mongodb" else 1)
