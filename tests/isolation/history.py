"""What concurrent clients asked and were told, in the order in which it happened."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from attrs import define, field

from isthmus import errors

Outcome = Literal["done", "failed", "unknown"]
"""Whether a call had its effect: it did, it did not, or nobody knows."""

EXPECTED = (
    errors.AlreadyExists, errors.ConditionFailed, errors.Conflict, errors.ItemNotFound, errors.OutcomeUnknown,
    errors.Throttled, errors.TransactionFailed, errors.Unavailable,
)  # fmt: skip
"""What a call may raise because of others, or of faults."""


@define(eq=False)
class Call:
    """One call of one client.

    :param action: what was asked, in the words of its workload
    :param begun: place in the order of all beginnings and ends
    :param ended: place of its end; ``None`` where its effect may still come
    :param answer: what the client was told
    :param error: what the call raised
    """

    client: int
    action: Any
    begun: int
    ended: int | None = None
    outcome: Outcome = "unknown"
    answer: Any = None
    error: errors.IsthmusError | None = None

    def __str__(self) -> str:
        told = {"done": f"-> {self.answer}", "failed": f"-> {type(self.error).__name__}", "unknown": "-> no answer"}
        return (
            f"{self.begun:>5}..{'' if self.ended is None else self.ended:<5} client {self.client}: {self.action} "
            + (told[self.outcome])
        )


@define
class History:
    """All calls of a run. Clients of several threads may write to it."""

    calls: list[Call] = field(factory=list)
    _clock: Iterator[int] = field(factory=lambda: itertools.count(1))

    @contextmanager
    def call(self, client: int, action: Any) -> Iterator[Call]:
        """A call that lasts as long as the block; an error that other clients or faults explain goes no further.

        A client that dies inside of the block leaves a call without an answer.
        """
        call = Call(client, action, next(self._clock))
        self.calls.append(call)
        try:
            yield call
        except EXPECTED as error:
            call.error = error
            if error.maybe_applied:
                return
            call.outcome = "failed"
        else:
            call.outcome = "done"
        call.ended = next(self._clock)

    def done(self) -> list[Call]:
        """The calls that succeeded."""
        return [call for call in self.calls if call.outcome == "done"]
