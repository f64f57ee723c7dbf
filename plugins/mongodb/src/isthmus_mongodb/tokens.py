"""Tokens of transactions: documents that are written in the transaction itself (rule TXN-8)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from attrs import frozen
from bson.datetime_ms import DatetimeMS

from isthmus.errors import IdempotencyMismatch
from isthmus.operations import TransactWrite
from isthmus.tokens import TOKEN_SECONDS, content_digest
from isthmus_mongodb.catalogue import TOKENS, Catalogue
from isthmus_mongodb.native import Call


@frozen
class Token:
    """A token and the digest of what it stands for."""

    key: str
    digest: bytes

    @classmethod
    def of(cls, catalogue: Catalogue, operation: TransactWrite) -> Self:
        """The token of a transaction; databases with different prefixes have different ones."""
        return cls(f"{catalogue.prefix}:{operation.token}", content_digest(operation))

    @staticmethod
    def collection() -> Call:
        """The request that makes the collection of all tokens; the server removes those that are long expired."""
        return Call(TOKENS, "create_index", ("gone",), {"expireAfterSeconds": 0})

    def keep(self, now: float) -> Call:
        """The request that stores it."""
        expires = now + TOKEN_SECONDS
        gone = DatetimeMS(int(expires * 1000))
        return Call(TOKENS, "insert_one", ({"_id": self.key, "digest": self.digest, "expires": expires, "gone": gone},))

    def replayed(self, now: float) -> Generator[Any, Any, bool]:
        """Whether the same content was applied under it; an expired one is removed.

        :raises IdempotencyMismatch: it stands for other content
        """
        entry = yield Call(TOKENS, "find_one", ({"_id": self.key},))
        if entry is None:
            return False
        if entry["expires"] <= now:
            yield Call(TOKENS, "delete_one", ({"_id": self.key, "expires": entry["expires"]},))
            return False
        if entry["digest"] != self.digest:
            raise IdempotencyMismatch("this token was used for other content: use a new token")
        return True
