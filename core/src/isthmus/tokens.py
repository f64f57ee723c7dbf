"""Idempotency tokens of transactions (rule TXN-8)."""

from __future__ import annotations

from hashlib import sha256

from attrs import fields

from isthmus.errors import InvalidArgument
from isthmus.expressions import Changes, Condition, to_portable
from isthmus.operations import Action, Check, TransactWrite
from isthmus.values import Value, canonical_bytes

TOKEN_SECONDS = 600.0
TOKEN_LENGTH = 36
# What was seen before is no part of what is asked for.
_NOT_ASKED = frozenset({"context", "table", "unchanged"})


def check_token(token: object) -> str | None:
    """The token itself.

    :raises InvalidArgument: it is not 1 to 36 printable ASCII characters
    """
    if token is None:
        return None
    if isinstance(token, str) and token.isascii() and token.isprintable() and 1 <= len(token) <= TOKEN_LENGTH:
        return token
    raise InvalidArgument(f"a transaction token is 1 to {TOKEN_LENGTH} printable ASCII characters, a UUID's text say")


def content_digest(transaction: TransactWrite) -> bytes:
    """SHA-256 of what a caller asked for and where it goes; the same gives the same digest in every process.

    Layers may have changed the values since, so a repetition is known by the caller's own content. Tables and keys are
    those of the store: what a layer sends elsewhere for another caller is no repetition. What a unit of work only read,
    and what became of its writes of one item, depends on what was there, so neither counts.
    """
    if transaction.content is None:
        return sha256(canonical_bytes([_content(action) for action in transaction.actions])).digest()
    places = sorted(canonical_bytes([one.table.name, one.key]) for one in transaction.actions if not _only_read(one))
    return sha256(canonical_bytes([transaction.content, *places])).digest()


def _only_read(action: Action) -> bool:
    return isinstance(action, Check) and action.condition is None


def _content(action: Action) -> Value:
    names = [attribute.name for attribute in fields(type(action)) if attribute.name not in _NOT_ASKED]
    return [action.kind, action.table.name, *(_portable(getattr(action, name)) for name in names)]


def _portable(part: object) -> Value:
    return to_portable(part) if isinstance(part, (Condition, Changes)) else part  # type: ignore[return-value]  # portable already
