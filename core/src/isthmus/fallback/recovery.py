"""Finding and ending the transactions of dead clients, and telling what became of one (rule TXN-10)."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from isthmus.errors import IsthmusError
from isthmus.fallback.locks import recover, stop
from isthmus.fallback.records import Record
from isthmus.fallback.session import Flow, Session
from isthmus.operations import Resolve
from isthmus.results import Outcome, ResolveResult
from isthmus.values import Item

SWEPT_AT_ONCE: Final = 25
_PAGE: Final = 100
_LOOKS: Final = 3


@frozen
class Recovery:
    """What ``recover`` did.

    :param examined: records that were looked at
    :param ended: transactions that were finished or undone, and records that went because their time had come
    :param left: those that may still be at work, or whose end is remembered for a while
    :param failed: those that could not be dealt with; the next call tries again
    """

    examined: int = 0
    ended: int = 0
    left: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready data."""
        return {"examined": self.examined, "ended": self.ended, "left": self.left, "failed": self.failed}


def recover_all(session: Session, limit: int | None = None) -> Flow[Recovery]:
    """Finish or undo every transaction whose client does not go on.

    :param limit: most records to look at
    """
    counts = {True: 0, False: 0, None: 0}
    start: Item | None = None
    examined = 0
    while True:
        wanted = _PAGE if limit is None else min(_PAGE, limit - examined)
        items, start = yield from session.scan_records(start, wanted)
        for item in items:
            examined += 1
            counts[(yield from _ended(session, item))] += 1
        if start is None or examined == limit:
            return Recovery(examined, counts[True], counts[False], counts[None])


def _ended(session: Session, item: Item) -> Flow[bool | None]:
    """Whether a transaction was ended; ``None`` where that failed."""
    try:
        return (yield from recover(session, Record.from_item(item).id))
    except IsthmusError:
        return None


def sweep(session: Session) -> Flow[None]:
    """A short look for transactions of dead clients, now and then; nothing depends on it."""
    shared = session.shared
    now = shared.leases.monotonic()
    if now - shared.swept_at < shared.options.sweep_s:
        return
    shared.swept_at = now
    try:
        yield from recover_all(session, SWEPT_AT_ONCE)
    except IsthmusError:
        return


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
            yield from recover(session, record.id)
        break
    return ResolveResult(outcome)
