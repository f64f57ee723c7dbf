"""Answers that arrive broken, late, slowly or never: a typed error in time, and the next call gets its own answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isthmus import AsyncDatabase, BoundTable, aconnect, connect
from isthmus.errors import DeadlineExceeded, IsthmusError, OutcomeUnknown, Unavailable
from tests.faults.effects import Cut, Damage, Delay, Effect, Held, LostAnswer, LostRequest, Silence, Slices
from tests.faults.places import ONCE, Place, place, with_options
from tests.faults.rounds import write_long_ago
from tests.patience import TIMES, judged_only_if, with_enough_time

BROKEN: dict[str, Effect] = {
    "reset before the server sees the request": LostRequest(),
    "reset in place of the answer": LostAnswer(),
    "reset in the middle of the answer": Cut(0.5, broken=True),
    "closed in the beginning of the answer": Cut(0.1),
    "closed in the middle of the answer": Cut(0.5),
    "closed before the last byte": Cut(0.999),
}
READS = rb"\x02find\0.{4}faults-|\.GetItem|\.Query"
WRITES = rb"\x02(update|findAndModify)\0.{4}faults-|\.UpdateItem"
Items = list[dict[str, Any]]

# The effects last longer: a call that does not end by its deadline goes on for more than these seconds after it.
NEVER = 30.0

each_break = pytest.mark.parametrize("effect", BROKEN.values(), ids=list(BROKEN))


@pytest.fixture
def items(at: Place) -> Items:
    """What the table holds."""
    found = [{"id": f"{number}", "n": number, "text": "abc" * 50} for number in range(3)]
    for item in found:
        write_long_ago(at.plain, item)
    return found


@pytest.fixture
def impatient(at: Place, items: Items) -> Iterator[BoundTable]:
    """The table through the proxy, without retries, and with a connection that is open."""
    with connect(unhurried(at), retry_policy=ONCE) as database:
        table = database.table(at.schema)
        assert table.get(id="0") == items[0]
        yield table


def unhurried(at: Place) -> str:
    """The URL through the proxy, with nothing but deadlines to end a call that gets no answer."""
    return at.faulty_url if at.way == "mongodb" else with_options(at.faulty_url, read_timeout="60")


@each_break
def test_a_broken_answer_to_a_read_is_unavailable(at: Place, impatient: BoundTable, effect: Effect) -> None:
    """The error may be retried; the next call gets its own answer."""
    at.proxy.arm(effect, READS)
    with pytest.raises(Unavailable) as caught:
        impatient.get(id="1")
    assert (caught.value.retryable, caught.value.maybe_applied, at.proxy.met) == (True, False, 1)
    assert impatient.get(id="2")["n"] == 2


@each_break
def test_a_broken_answer_to_a_write_is_unknown(at: Place, impatient: BoundTable, effect: Effect) -> None:
    """Without retries the outcome is left open, with an id to settle it; PyMongo repeats a write once by itself."""
    at.proxy.arm(effect, WRITES, times=2)
    with pytest.raises(OutcomeUnknown) as caught:
        impatient.update(id="1", add={"n": 1})
    at.proxy.disarm()
    applied = at.plain.get(id="1")["n"] == 2
    assert at.plain.database.resolve(str(caught.value.operation_id)) == ("applied" if applied else "not_applied")
    assert impatient.get(id="2")["n"] == 2


@each_break
def test_a_read_is_repeated(at: Place, items: Items, effect: Effect) -> None:
    """With retries nobody notices."""
    with at.opened() as database:
        at.proxy.arm(effect, READS, times=2)
        assert database.table(at.schema).get(id="1") == items[1]
    assert at.proxy.met == 2


@pytest.mark.parametrize("way", ["dynamodb-fast", "dynamodb-boto3"])
def test_a_damaged_answer_is_seen_by_its_checksum(way: Any, url_of: Callable[[str], str]) -> None:
    """One byte of an item's text is another: the answer is refused, and a repetition gives the right one."""
    item = {"id": "1", "text": "abc" * 50}
    with place(way, url_of) as at, at.opened(ONCE) as database:
        table = database.table(at.schema)
        table.put(item)
        at.proxy.arm(Damage(-20), rb"\.GetItem")
        with pytest.raises(Unavailable, match="CRC32"):
            table.get(id="1")
        assert (table.get(id="1"), at.proxy.met) == (item, 1)


def late(
    at: Place,
    effect: Effect,
    pattern: bytes,
    call: Callable[[float], object],
    after: Callable[[DeadlineExceeded], object] = lambda _error: True,
) -> DeadlineExceeded:
    """The error of a call whose request meets an effect, and whose deadline passes by that.

    :param after: tells whether the server had enough time, too
    """

    def attempt(seconds: float) -> DeadlineExceeded:
        before = at.proxy.met
        at.proxy.arm(effect, pattern)
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            call(seconds)
        assert time.monotonic() - begun < seconds + NEVER
        # What was sent just before the deadline, or by a thread of boto3's after it, may still be on its way.
        judged_only_if(soon(lambda: at.proxy.met > before))
        judged_only_if(after(caught.value))
        return caught.value

    def soon(holds: Callable[[], bool]) -> bool:
        until = time.monotonic() + 2
        while not holds() and time.monotonic() < until:
            time.sleep(0.01)
        at.proxy.disarm()
        return holds()

    return with_enough_time(attempt)


def test_a_silent_server_is_waited_for_until_the_deadline(at: Place, impatient: BoundTable) -> None:
    """The connection stays open, the answer never arrives."""
    begun = time.monotonic()
    late(at, Silence(), READS, lambda seconds: impatient.get(id="1", timeout=seconds))
    assert time.monotonic() - begun >= TIMES[0]
    assert (impatient.get(id="2")["n"], at.proxy.met) == (2, 1)


def test_a_write_to_a_silent_server_may_be_applied(at: Place, impatient: BoundTable) -> None:
    """The deadline passes; the error's id tells later that the write was applied."""
    silence = Silence()

    def call(seconds: float) -> None:
        silence.swallowed.clear()
        impatient.update(id="1", add={"n": 1}, timeout=seconds)

    def applied(error: DeadlineExceeded) -> bool:
        """MongoDB is told the deadline, and refuses what it begins with after that."""
        assert silence.swallowed.wait(60)
        return at.plain.database.resolve(str(error.operation_id)) == "applied"

    assert late(at, silence, WRITES, call, applied).maybe_applied


def test_a_silent_server_is_waited_for_until_the_deadline_async(at: Place, items: Items) -> None:
    """The same on an event loop, where other calls go on meanwhile."""
    with asyncio.Runner() as runner:
        database = runner.run(opened(at))
        table = database.table(at.schema)
        runner.run(table.get(id="0"))
        late(at, Silence(), READS, lambda seconds: runner.run(table.get(id="1", timeout=seconds)))
        found = [runner.run(table.get(id=item["id"])) for item in items]
        runner.run(database.close())
    assert (found, at.proxy.met) == (items, 1)


async def opened(at: Place) -> AsyncDatabase:
    """The async database through the proxy, without retries."""
    return await aconnect(unhurried(at), retry_policy=ONCE)


def test_an_answer_that_comes_too_late_is_nobody_elses(at: Place, impatient: BoundTable, items: Items) -> None:
    """It arrives after the deadline of its call; the calls after that get their own answers."""
    held = Held()
    late(at, held, READS, lambda seconds: impatient.get(id="1", timeout=seconds))
    found = [impatient.get(id=item["id"]) for item in items]
    held.let_go()
    assert found + [impatient.get(id=item["id"]) for item in items] == [*items, *items]


@pytest.mark.parametrize("effect", [Slices(1), Slices(50, 0.005), Delay(0.2)])
def test_a_slow_answer_is_an_answer(at: Place, impatient: BoundTable, items: Items, effect: Effect) -> None:
    """Byte by byte, over a slow line, or late."""
    at.proxy.arm(effect, READS)
    assert (list(impatient.query(id="1")), at.proxy.met) == ([items[1]], 1)


def test_a_line_too_slow_for_the_deadline(at: Place, impatient: BoundTable) -> None:
    """Bytes that keep arriving don't put the deadline off."""
    late(at, Slices(1, 0.1), READS, lambda seconds: impatient.get(id="1", timeout=seconds))
    assert impatient.get(id="2")["n"] == 2


def test_errors_name_the_server(at: Place, impatient: BoundTable) -> None:
    """Whoever reads the message knows where to look."""
    at.proxy.arm(LostAnswer(), READS)
    with pytest.raises(IsthmusError) as caught:
        impatient.get(id="1")
    assert at.proxy.address in caught.value.message
