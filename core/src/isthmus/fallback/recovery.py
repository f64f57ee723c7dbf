"""Finding and ending the transactions of dead clients, and telling what became of one (rule TXN-10)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import asdict, frozen

from isthmus.errors import IsthmusError
from isthmus.fallback.leases import SECOND_LOOK
from isthmus.fallback.locks import Fate, finish, recover, stop
from isthmus.fallback.session import Flow, Session
from isthmus.layers import Sleep
from isthmus.operations import Resolve
from isthmus.results import Outcome, ResolveResult
from isthmus.values import Item

SWEPT_AT_ONCE: Final = 25
SWEEP_SECONDS: Final = 1.0
"""What a look for dead clients may take of the time of the caller whom it meets."""
_PAGE: Final = 100
_SWEPT_PAGES: Final = 10
_MARGIN: Final = 0.05
_LOOKS: Final = 3
_TOGETHER: Final = 500
"""So many are looked at again after one wait: fewer than the sightings that are remembered."""


@frozen
class Recovery:
    """What ``recover`` did.

    :param examined: transactions that were looked at
    :param finished: those that were committed, and are applied now
    :param undone: those that were not, and are taken back now
    :param forgotten: those that had ended long ago, of which nothing is stored any more
    :param left: those that may still be at work; the next call looks again
    :param failed: those that could not be dealt with; the next call tries again
    """

    examined: int = 0
    finished: int = 0
    undone: int = 0
    forgotten: int = 0
    left: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, int]:
        """The numbers as JSON-ready data."""
        return asdict(self)


def recover_all(session: Session, limit: int | None = None) -> Flow[Recovery]:
    """Finish or undo every transaction whose client does not go on.

    Those that seem to be dead are looked at twice: one look never tells, as clocks differ.

    :param limit: most records to look at
    """
    fates: dict[str, Fate | None] = {}
    overdue: list[str] = []
    start: Item | None = None
    last = limit == 0
    while not last:
        items, start = yield from session.scan_records(
            start, _PAGE if limit is None else min(_PAGE, limit - len(fates))
        )
        ids = [str(item["id"]) for item in items]
        yield from _look(session, ids, fates)
        overdue += [record_id for record_id in ids if fates[record_id] is Fate.OVERDUE]
        last = start is None or (limit is not None and len(fates) >= limit)
        if overdue and (last or len(overdue) >= _TOGETHER):
            yield Sleep(SECOND_LOOK + _MARGIN)
            yield from _look(session, overdue, fates)
            overdue = []
    counts = Counter(fates.values())
    return Recovery(
        examined=len(fates), finished=counts[Fate.FINISHED], undone=counts[Fate.UNDONE],
        forgotten=counts[Fate.FORGOTTEN], left=counts[Fate.ALIVE] + counts[Fate.OVERDUE], failed=counts[None],
    )  # fmt: skip


def _look(session: Session, ids: Sequence[str], fates: dict[str, Fate | None]) -> Flow[None]:
    for record_id in ids:
        fates[record_id] = yield from _fate(session, record_id)


def _fate(session: Session, record_id: str) -> Flow[Fate | None]:
    """What a look at one record came to; ``None`` where it failed."""
    try:
        return (yield from recover(session, record_id))
    except IsthmusError:
        return None


def sweep(session: Session) -> Flow[None]:
    """A short look for transactions of dead clients, now and then; nothing depends on it."""
    shared = session.shared
    now = shared.leases.monotonic()
    if now - shared.swept_at < shared.options.sweep_s:
        return
    shared.swept_at = now
    deadline = session.deadline
    session.deadline = min(time.monotonic() + SWEEP_SECONDS, float("inf") if deadline is None else deadline)
    with suppress(IsthmusError):
        yield from _swept(session)
    session.deadline = deadline


def _swept(session: Session) -> Flow[None]:
    """Go on where the last look ended: ended transactions that are only remembered are many, and may all come first."""
    shared, seen = session.shared, 0
    for _ in range(_SWEPT_PAGES):
        items, shared.sweep_from = yield from session.scan_records(shared.sweep_from, _PAGE)
        unended = [str(item["id"]) for item in items if _is_open(item, session.now())]
        for record_id in unended:
            yield from _fate(session, record_id)
        seen += len(unended)
        if seen >= SWEPT_AT_ONCE or shared.sweep_from is None:
            return


def _is_open(item: Item, now: float) -> bool:
    """Whether a record may need somebody: an aborted one may have locks too, where its client gave up or died."""
    purge_at: Any = item.get("purge_at")
    return item.get("state") != "done" or purge_at is None or purge_at <= now


def resolve(session: Session, operation: Resolve) -> Flow[ResolveResult]:
    """What became of an attempt whose commit was not answered; it is decided now if it was not yet (rule R7)."""
    outcome: Outcome = "unknown"
    for _ in range(_LOOKS):
        record = yield from session.record("resolve", str(operation.key["id"]))
        if record is None or record.attempt.hex() != operation.operation_id:
            break  # ended and forgotten, or never begun: that is no answer
        if record.state == "pending":
            yield from stop(session, record)
            continue
        outcome = "not_applied" if record.state == "aborted" else "applied"
        if record.state == "committed":
            yield from finish(session, record)
        break
    return ResolveResult(outcome)
