"""A memory backend that remembers what it was sent, and fails as told."""

from __future__ import annotations

from isthmus import operations as op
from isthmus.memory import MemoryBackend
from isthmus.results import Result


class Recording(MemoryBackend):
    """Remembers operations on items.

    :ivar faults: raised for the next transactions, after they were applied
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[op.Operation] = []
        self.faults: list[Exception] = []

    def execute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.ITEM_OPERATIONS):
            self.seen.append(operation)
        result = super().execute(operation)
        if isinstance(operation, op.TransactWrite) and self.faults:
            raise self.faults.pop(0)
        return result

    def take(self) -> list[op.Operation]:
        """What was sent since the last call."""
        seen, self.seen = self.seen, []
        return seen

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was sent since the last ``take``."""
        return [operation.kind for operation in self.seen]
