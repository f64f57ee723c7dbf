"""A backend that delegates to another one and keeps what arrived, perhaps with other declared capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus import Backend, Capability, Support
from isthmus.errors import IsthmusError
from isthmus.operations import Operation
from isthmus.results import Result


class Witness(Backend):
    """Passes everything on; ``seen`` holds the operations in order. Closing it leaves the inner backend open.

    :param levels: capability levels in place of the inner backend's
    """

    name = "witness"

    def __init__(self, inner: Backend, levels: Mapping[Capability, Support]) -> None:
        self._inner = inner
        self.capabilities = inner.capabilities.replace(levels)
        self.limits = inner.limits
        self.seen: list[Operation] = []

    def execute(self, operation: Operation) -> Result:
        self.seen.append(operation)
        return self._inner.execute(operation)

    async def aexecute(self, operation: Operation) -> Result:
        self.seen.append(operation)
        return await self._inner.aexecute(operation)

    def translate_error(self, error: Exception, operation: Operation) -> IsthmusError | None:
        return self._inner.translate_error(error, operation)

    def native(self) -> Any:
        return self._inner.native()

    async def aclose(self) -> None:
        """Nothing: the inner backend belongs to another database."""
