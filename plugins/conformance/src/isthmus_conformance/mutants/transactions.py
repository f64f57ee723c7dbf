"""Mutants whose transactions are not."""

from __future__ import annotations

import time
from typing import cast

from attrs import evolve

from isthmus import Capability, Unsupported
from isthmus import operations as op
from isthmus import results as res
from isthmus.embedded import Session
from isthmus.errors import IdempotencyMismatch, TransactionFailed
from isthmus.memory import MemoryBackend
from isthmus.values import Item
from isthmus_conformance.mutants.registry import mutant


class _Transacting(MemoryBackend):
    """Transactions go through one method for each kind."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        """Apply all or nothing."""
        return super().execute(operation)

    def transact_get(self, operation: op.TransactGet) -> res.TransactGetResult:
        """Read as of one moment."""
        return cast("res.TransactGetResult", super().execute(operation))

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, op.TransactWrite):
            return self.transact_write(operation)
        return self.transact_get(operation) if isinstance(operation, op.TransactGet) else super().execute(operation)


@mutant("TXN-3")
class HalfApplied(_Transacting):
    """A failing transaction applies the actions that come before the first failure."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        except TransactionFailed as error:
            for action, reason in zip(operation.actions, error.reasons, strict=True):
                if reason is not None:
                    break
                if not isinstance(action, op.Check):
                    self.execute(action)
            raise


@mutant("TXN-6")
class OnlyFirstReason(_Transacting):
    """A failed transaction gives the first reason only."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        except TransactionFailed as error:
            first = next(reason for reason in error.reasons if reason is not None)
            raise TransactionFailed(error.message, reasons=[first]) from None


@mutant("TXN-6")
class LaterReasonsMissing(_Transacting):
    """After the first failure the other actions count as fine."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        except TransactionFailed as error:
            first = next(place for place, reason in enumerate(error.reasons) if reason is not None)
            reasons = [reason if place == first else None for place, reason in enumerate(error.reasons)]
            raise TransactionFailed(error.message, reasons=reasons) from None


@mutant("TXN-3", "TXN-5", "TXN-6")
class ChecksIgnored(_Transacting):
    """Checks of a transaction always hold."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        writes = tuple(action for action in operation.actions if not isinstance(action, op.Check))
        if len(writes) == len(operation.actions) or not writes:
            return super().transact_write(operation)
        try:
            return super().transact_write(evolve(operation, actions=writes))
        except TransactionFailed as error:
            left = iter(error.reasons)
            reasons = [None if isinstance(action, op.Check) else next(left) for action in operation.actions]
            raise TransactionFailed(error.message, reasons=reasons) from None


@mutant("TXN-3", "TXN-6")
class ConditionsIgnored(_Transacting):
    """The conditions of puts and deletes in a transaction always hold."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        actions = [
            evolve(action, condition=None) if isinstance(action, (op.Put, op.Delete)) else action
            for action in operation.actions
        ]
        return super().transact_write(evolve(operation, actions=tuple(actions)))


@mutant("TXN-8")
class TokenForgotten(_Transacting):
    """A repeated token applies the transaction again."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        return super().transact_write(evolve(operation, token=None))


@mutant("TXN-8")
class TokenMismatchIgnored(_Transacting):
    """A token with other content counts as a repetition."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        except IdempotencyMismatch:
            return res.TransactWriteResult(replayed=True)


@mutant("TXN-8")
class TokensLiveForever(MemoryBackend):
    """A token is never forgotten."""

    def _replayed(self, session: Session, token: str, digest: bytes) -> bool:
        now, self.clock = self.clock, lambda: 0.0
        try:
            return super()._replayed(session, token, digest)
        finally:
            self.clock = now


@mutant("TXN-8")
class FailureUsesTheToken(_Transacting):
    """A transaction that failed uses up its token."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        except TransactionFailed:
            if operation.token is not None:
                self._session.keep_token(operation.token, b"", self.clock() + 600)
            raise


@mutant("TXN-12", "TXN-5")
class TornReads(_Transacting):
    """A transactional read reads one item after the other, and writers come between."""

    def transact_get(self, operation: op.TransactGet) -> res.TransactGetResult:
        items: list[Item | None] = []
        for get in operation.gets:
            items.append(cast("res.GetResult", self.execute(get)).item)
            time.sleep(0.0005)
        return res.TransactGetResult(items)


@mutant("TXN-5", "TXN-12", "TXN-3")
class TornWrites(_Transacting):
    """A transaction applies its actions one by one; readers see half of it."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        result = super().transact_write(evolve(operation, actions=operation.actions[:1]))
        for action in operation.actions[1:]:
            time.sleep(0.0005)
            super().transact_write(evolve(operation, actions=(action,), token=None))
        return result


@mutant("TXN-10")
class TransactionsGuessed(_Transacting):
    """Declares by a guess that it has no transactions, and carries them out all the same."""

    capabilities = MemoryBackend.capabilities.replace(
        {Capability.TRANSACT_WRITE: Unsupported("a URL of this form has no transactions")}
    )


@mutant("TXN-13")
class ActionsUsedUp(_Transacting):
    """A transaction takes the keys out of the items that it was given, so it can't be sent again."""

    def transact_write(self, operation: op.TransactWrite) -> res.Result:
        try:
            return super().transact_write(operation)
        finally:
            for action in operation.actions:
                if isinstance(action, op.Put):
                    for name in action.key:
                        action.item.pop(name, None)


@mutant("TXN-12")
class MissingReadsLast(_Transacting):
    """A transactional read answers missing items last."""

    def transact_get(self, operation: op.TransactGet) -> res.TransactGetResult:
        found = super().transact_get(operation)
        return evolve(found, items=sorted(found.items, key=lambda item: item is None))
