"""Writes that depend on what is stored: read, judge and write inside one transaction that no other writer can enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final
from zlib import crc32

from isthmus import operations as op
from isthmus.capabilities import Limits
from isthmus.errors import IdempotencyMismatch, IsthmusError, TransactionFailed
from isthmus.results import TransactWriteResult
from isthmus.schema import Table
from isthmus.tokens import TOKEN_SECONDS, content_digest
from isthmus.values import Item
from isthmus.writes import require_unchanged, revision_of, write
from isthmus_sqlite.files import TOKENS
from isthmus_sqlite.layout import Layout, stored_item
from isthmus_sqlite.session import Session
from isthmus_sqlite.sessions import Sessions

_TIDY: Final = 256
"""One in so many tokens removes those that have expired."""


class Writing:
    """A context in which the current thread alone writes: everything inside is applied, or nothing."""

    __slots__ = ("_deadline", "_session", "_sessions", "_stack")

    def __init__(self, sessions: Sessions, session: Session, deadline: float | None) -> None:
        self._sessions = sessions
        self._session = session
        self._deadline = deadline
        self._stack = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(self._sessions.writing(self._session, self._deadline))
            # Locking at once, not at the first write: what is read then is what is changed.
            stack.enter_context(self._session.transaction("BEGIN IMMEDIATE"))
            self._stack = stack.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def current(session: Session, layout: Layout, key: op.ItemKey, now: float) -> Item | None:
    """The visible item with a key."""
    params = layout.key(key)
    row = session.execute(layout.get, (*params, now) if layout.visible else params).fetchone()
    return None if row is None else stored_item(row[0])


def store(session: Session, layout: Layout, key: op.ItemKey, item: Item | None) -> None:
    """Put an item, or nothing, in the place of whatever has the key."""
    if item is None:
        session.execute(layout.delete, layout.key(key))
    else:
        session.execute(layout.put, layout.row(item))


def write_all(
    session: Session, find: Callable[[Table], Layout], operation: op.TransactWrite, limits: Limits, now: float
) -> TransactWriteResult:
    """All actions of a transaction.

    :param find: gives the layout of a declared table
    :raises TransactionFailed: with the reason of every action that failed
    :raises IdempotencyMismatch: the token was used for other content
    """
    if operation.token is not None and _replayed(session, operation.token, content_digest(operation), now):
        return TransactWriteResult(replayed=True)
    layouts = [find(action.table) for action in operation.actions]
    images = _judge(session, layouts, operation, limits, now)
    for layout, action, image in zip(layouts, operation.actions, images, strict=True):
        if not isinstance(action, op.Check):
            store(session, layout, action.key, image)
    if operation.token is not None:
        _keep(session, operation.token, content_digest(operation), now)
    return TransactWriteResult()


def _judge(
    session: Session, layouts: Sequence[Layout], operation: op.TransactWrite, limits: Limits, now: float
) -> list[Item | None]:
    """What each action leaves, judged by what was there before all of them."""
    images: list[Item | None] = []
    reasons: list[IsthmusError | None] = []
    for layout, action in zip(layouts, operation.actions, strict=True):
        image, reason = None, None
        try:
            old = current(session, layout, action.key, now)
            if action.unchanged is not None:
                require_unchanged(action, revision_of(old))
            image = write(action, old, limits, now)
            layout.check(action.table, image, limits)
        except IsthmusError as error:
            reason = error
        images.append(image)
        reasons.append(reason)
    if any(reasons):
        raise TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)
    return images


def _replayed(session: Session, token: str, digest: bytes, now: float) -> bool:
    row = session.execute(f"SELECT digest FROM {TOKENS} WHERE token = ? AND expires > ?", (token, now)).fetchone()
    if row is None:
        return False
    if row[0] != digest:
        raise IdempotencyMismatch("this token was used for other content: use a new token")
    return True


def _keep(session: Session, token: str, digest: bytes, now: float) -> None:
    row = (token, now + TOKEN_SECONDS, digest)
    session.execute(f"INSERT OR REPLACE INTO {TOKENS} (token, expires, digest) VALUES (?, ?, ?)", row)
    # They are looked for among all, which would soon cost each transaction more than all the rest.
    if crc32(token.encode()) % _TIDY == 0:
        session.execute(f"DELETE FROM {TOKENS} WHERE expires <= ?", (now,))
