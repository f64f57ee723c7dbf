"""Every peer proves once that it does all the work: what it reads is what was written."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from tests.bench.servers.items import BATCH_ITEMS, PARTITION_ITEMS, Item, place, sample, spread
from tests.bench.servers.peer import Peer
from tests.bench.servers.work import AMOUNTS, Work


class WrongResult(Exception):
    """A peer does not do what is measured."""


async def settled(result: Any) -> Any:
    """The result of a sync or an async call."""
    return await result if isawaitable(result) else result


async def check(peer: Peer, work: Work) -> None:
    """Call each operation once.

    :raises WrongResult: something read differs from what was written
    """
    await _reads(peer, work)
    await settled(work.put(0))
    await _expect(peer, spread("written", 1)[0])
    await settled(work.update(1))
    await _expect(peer, _updated("updated"))
    await settled(work.batch(0))
    await _expect(peer, sample("batch-0", f"{BATCH_ITEMS - 1:08}", BATCH_ITEMS - 1))
    if "transaction" in work.calls:
        await settled(work.transaction(1))
        await _expect(peer, sample(*place("transferred", 1), 1))
        await _expect(peer, _updated("moved"))


async def _reads(peer: Peer, work: Work) -> None:
    stored = spread("read", PARTITION_ITEMS)
    await _expect(peer, stored[-1])
    found = await settled(work.query(0))
    _compare(stored, [peer.plain(item) for item in found], "query")


def _updated(prefix: str) -> Item:
    return {**sample(*place(prefix, 1), 1), "amount": AMOUNTS[1], "visits": 1}


async def _expect(peer: Peer, item: Item) -> None:
    found = peer.plain(await settled(peer.get(item["shop"], item["order"])))
    _compare(item, found, item["shop"])


def _compare(expected: object, found: object, what: str) -> None:
    # No decimal of the sample equals a float, so this tells those apart as well.
    if expected != found:
        raise WrongResult(f"{what}: read {found!r}, not {expected!r}")
