"""Answers that arrive broken, late, slowly or never: a typed error in time, and the next call gets its own answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isthmus import BoundTable, aconnect
from isthmus.errors import DeadlineExceeded, IsthmusError, OutcomeUnknown, Unavailable
from tests.faults.effects import Cut, Damage, Delay, Effect, LostAnswer, LostRequest, Silence, Slices
from tests.faults.ledger import GRACE
from tests.faults.places import ONCE, Place, place
from tests.faults.rounds import write_long_ago

DEADLINE = 0.6
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
    with at.opened(ONCE) as database:
        table = database.table(at.schema)
        assert table.get(id="0") == items[0]
        yield table


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


def test_a_silent_server_is_waited_for_until_the_deadline(at: Place, impatient: BoundTable) -> None:
    """The connection stays open, the answer never arrives."""
    at.proxy.arm(Silence(), READS)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        impatient.get(id="1", timeout=DEADLINE)
    assert DEADLINE <= time.monotonic() - begun < DEADLINE + GRACE
    assert (impatient.get(id="2")["n"], at.proxy.met) == (2, 1)


def test_a_write_to_a_silent_server_may_be_applied(at: Place, impatient: BoundTable) -> None:
    """The deadline passes; the error's id tells later that the write was applied."""
    at.proxy.arm(Silence(), WRITES)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        impatient.update(id="1", add={"n": 1}, timeout=DEADLINE)
    assert time.monotonic() - begun < DEADLINE + GRACE
    assert caught.value.maybe_applied
    assert at.plain.database.resolve(str(caught.value.operation_id)) == "applied"


def test_a_silent_server_is_waited_for_until_the_deadline_async(at: Place, items: Items) -> None:
    """The same on an event loop, where other calls go on meanwhile."""

    async def calls() -> tuple[float, list[Any]]:
        async with aconnect(at.faulty_url, retry_policy=ONCE) as database:
            table = database.table(at.schema)
            await table.get(id="0")
            at.proxy.arm(Silence(), READS)
            begun = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await table.get(id="1", timeout=DEADLINE)
            return time.monotonic() - begun, [await table.get(id=item["id"]) for item in items]

    took, found = asyncio.run(calls())
    assert (found, at.proxy.met) == (items, 1)
    assert DEADLINE <= took < DEADLINE + GRACE


def test_an_answer_that_comes_too_late_is_nobody_elses(at: Place, impatient: BoundTable, items: Items) -> None:
    """It arrives after the deadline of its call; the calls after that get their own answers."""
    at.proxy.arm(Delay(1.0), READS)
    with pytest.raises(DeadlineExceeded):
        impatient.get(id="1", timeout=0.3)
    found = [impatient.get(id=item["id"]) for item in items]
    time.sleep(0.8)
    assert found + [impatient.get(id=item["id"]) for item in items] == [*items, *items]


@pytest.mark.parametrize("effect", [Slices(1), Slices(50, 0.005), Delay(0.2)])
def test_a_slow_answer_is_an_answer(at: Place, impatient: BoundTable, items: Items, effect: Effect) -> None:
    """Byte by byte, over a slow line, or late."""
    at.proxy.arm(effect, READS)
    assert (list(impatient.query(id="1")), at.proxy.met) == ([items[1]], 1)


def test_a_line_too_slow_for_the_deadline(at: Place, impatient: BoundTable) -> None:
    """Bytes that keep arriving don't put the deadline off."""
    at.proxy.arm(Slices(5, 0.05), READS)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        impatient.get(id="1", timeout=DEADLINE)
    assert time.monotonic() - begun < DEADLINE + GRACE
    assert impatient.get(id="2")["n"] == 2


def test_errors_name_the_server(at: Place, impatient: BoundTable) -> None:
    """Whoever reads the message knows where to look."""
    at.proxy.arm(LostAnswer(), READS)
    with pytest.raises(IsthmusError) as caught:
        impatient.get(id="1")
    assert at.proxy.address in caught.value.message
