"""Operation ids: by them a backend knows its own write again when the answer to it was lost (rule CND-7).

The id is stored with the item that the write leaves. Its text is 11 hexadecimal digits of milliseconds since the epoch
and 13 that count from a random number of the process, so ids sort by time and two writers never share one. What callers
get is a longer text that also says where to look: a digest's beginning, then canonical bytes of table, key and id, as
base64url.
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from itertools import count
from typing import Final, TypeVar

from attrs import evolve

from isthmus.errors import InvalidArgument, IsthmusError, OutcomeUnknown
from isthmus.evaluate import matches
from isthmus.operations import Context, Create, Delete, ItemKey, Operation, Put, Resolve, TransactWrite, Update
from isthmus.values import canonical_bytes, check_table_name, from_canonical_bytes

O = TypeVar("O", bound=Operation)  # noqa: E741  # an operation

CLOCK_MARGIN = 30.0
"""Seconds by which an id may be older than its effect: what the clocks of two writers may differ, and how long an
attempt may wait for a server and for a connection."""

_TIME_DIGITS = 11
_ID_DIGITS = 24
_ATTEMPT_DIGITS = 32
_CHECK_BYTES = 8
_LONGEST = 16_384
_WRONG = "an operation id is the text that an error carries as operation_id: pass it unchanged"


def new_operation_id() -> str:
    """An id of this moment."""
    return f"{time.time_ns() // 1_000_000:011x}{next(_numbers) & _MASK:013x}"


def new_mark() -> str:
    """The digits of such an id that don't tell its time, for what only has to differ from every other one."""
    return f"{next(_numbers) & _MASK:013x}"


def _renew() -> None:
    """Count from another number: after a fork two processes would give the same ids."""
    global _numbers  # noqa: PLW0603  # counting takes no lock, so the counter itself is replaced
    _numbers = count(int.from_bytes(os.urandom(7)))


_MASK: Final = (1 << 52) - 1
_numbers: count[int]
_renew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def floor(operation_id: str) -> str:
    """The least text of ids that may be as young as this one; whoever wrote an older one wrote before it."""
    moment = int(operation_id[:_TIME_DIGITS], 16) - int(CLOCK_MARGIN * 1000)
    return f"{max(moment, 0):011x}"


def was_applied(operation: Create | Put | Update | Delete, found: str | None, *, present: bool) -> bool:
    """Whether an earlier attempt of a write left the item that is there; if not, the write is judged as usual.

    Only an older id shows that nobody wrote since. An item without one may have been written over ours.

    :param found: the id in the item
    :param present: whether an item is there, expired or not
    :raises OutcomeUnknown: an earlier attempt may have been applied, and what it left is no longer there
    """
    mine = operation.context.operation_id
    if mine is None:
        return False
    if found == mine:
        return True
    if not operation.context.repeated:
        return False
    if present and (found is None or found >= floor(mine)):
        raise OutcomeUnknown(
            f"this {operation.kind} may have been applied before somebody else wrote the item: read it"
        )
    if not present and not _takes_nothing(operation):
        raise item_gone(operation)
    return False


def item_gone(operation: Operation) -> OutcomeUnknown:
    """The error of a repeated write that needs an item and finds none."""
    return OutcomeUnknown(f"the item is gone, perhaps after this {operation.kind} was applied: read it")


def _takes_nothing(operation: Create | Put | Update | Delete) -> bool:
    """Whether a write succeeds where there is no item."""
    if isinstance(operation, Delete) or (isinstance(operation, Update) and not operation.upsert):
        return False
    return isinstance(operation, Create) or operation.condition is None or matches(operation.condition, {})


def identified(operation: O) -> O:
    """The operation with a new id."""
    context = operation.context
    return operation.with_context(Context(context.actor, context.deadline, new_operation_id(), context.repeated))


def repeated(operation: O) -> O:
    """The operation for an attempt after one that may have been applied."""
    return evolve(operation, context=evolve(operation.context, repeated=True))


def public_id(operation: Operation) -> str | None:
    """The text by which ``resolve`` finds out what became of a write, or ``None`` where it leaves no trace.

    A delete leaves no item that could hold an id.
    """
    members = operation.actions if isinstance(operation, TransactWrite) else (operation,)
    for member in members:
        if isinstance(member, (Create, Put, Update)) and operation.context.operation_id is not None:
            return _encoded(member.table.name, dict(member.key), operation.context.operation_id)
    return None


def attempt_id(records: str, record: str, attempt: bytes) -> str:
    """The same for one attempt of a transaction that the core runs: its record and its own id."""
    return _encoded(records, {"id": record}, attempt.hex())


def _encoded(table: str, key: ItemKey, operation_id: str) -> str:
    body = canonical_bytes([table, key, operation_id])
    return urlsafe_b64encode(sha256(body).digest()[:_CHECK_BYTES] + body).rstrip(b"=").decode("ascii")


def resolve_request(operation_id: object, context: Context) -> Resolve:
    """The operation that settles what became of a write.

    :raises InvalidArgument: the text is no operation id, or damaged
    """
    if not isinstance(operation_id, str) or not operation_id.isascii() or len(operation_id) > _LONGEST:
        raise InvalidArgument(_WRONG)
    try:
        data = urlsafe_b64decode(operation_id + "=" * (-len(operation_id) % 4))
        if sha256(data[_CHECK_BYTES:]).digest()[:_CHECK_BYTES] != data[:_CHECK_BYTES]:
            raise InvalidArgument(_WRONG)
        parts = from_canonical_bytes(data[_CHECK_BYTES:])
    except (ValueError, IsthmusError) as error:
        raise InvalidArgument(_WRONG) from error
    match parts:
        case [str(table), dict(key), str(short)] if _is_short(short):
            return Resolve(context, check_table_name(table), key, short)
    raise InvalidArgument(_WRONG)


def _is_short(text: str) -> bool:
    return len(text) in (_ID_DIGITS, _ATTEMPT_DIGITS) and not set(text) - set("0123456789abcdef")
