"""What a backend is: a class that declares its capabilities and limits and answers operations."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult

from attrs import field, frozen

from isthmus.capabilities import Capabilities, Limits
from isthmus.errors import IsthmusError
from isthmus.operations import Operation
from isthmus.results import Result

if TYPE_CHECKING:
    from isthmus.fallback.store import ItemStore
    from isthmus.metrics import Metric

Clock = Callable[[], float]


@frozen
class BackendConfig:
    """What a plugin gets to open its backend.

    :param url: the parsed URL; its query is already part of ``options``
    :param options: the backend's settings, merged from URL, file, environment and code
    :param clock: seconds since the epoch; expiry is judged by it (rule TTL-6)
    """

    url: SplitResult
    clock: Clock
    options: Mapping[str, Any] = field(factory=dict)

    @property
    def scheme(self) -> str:
        """The URL's scheme."""
        return self.url.scheme


class Backend(ABC):
    """Base of all backends.

    A simple backend overrides ``execute``, which blocks; the async database then runs it in threads. A backend with a
    driver of its own for event loops overrides ``aexecute`` as well, and one whose calls never wait sets ``blocking``
    to ``False``.
    """

    name: ClassVar[str]
    blocking: ClassVar[bool] = True
    capabilities: Capabilities
    limits: Limits
    clock: Clock | None = None
    """Seconds since the epoch, by which its items expire: ``connect`` uses it for a backend that is open already."""
    item_store: ItemStore | None = None
    """Reads and swaps of physical items, over which the core runs transactions where the backend has none."""
    measure: Callable[[Metric], None] | None = None
    """Records a measurement, if anybody does; set by the database that is opened over the backend."""

    @abstractmethod
    def execute(self, operation: Operation) -> Result:
        """Answer one operation of any kind in ``isthmus.operations.OPERATIONS``.

        Must honour ``operation.context.deadline``, be callable from several threads at once, and leave nothing
        half-done when it raises. Raises errors of the tree, or native ones that ``translate_error`` knows.
        """

    async def aexecute(self, operation: Operation) -> Result:
        """Answer one operation on an event loop; by default ``execute``, in a thread unless it never waits."""
        return await asyncio.to_thread(self.execute, operation) if self.blocking else self.execute(operation)

    def identifies(self, operation: Operation) -> bool:
        """Whether a write that is not idempotent is known again by its operation id, when it is sent again.

        The operation then has ``context.operation_id``, which the backend stores with what the write leaves. An attempt
        after one that may have been applied has ``context.repeated`` as well: it must succeed without effect where the
        earlier one was applied. Errors that say that nothing was applied then speak for all attempts; where that can't
        be told, it raises ``OutcomeUnknown``. See ``isthmus.operation_ids``.
        """
        return False

    def repeats(self, operation: Operation) -> bool:
        """Whether it repeats its own attempts at this operation, so that the core must not send it again."""
        return False

    def keeps_unique(self, table: str) -> bool:
        """Whether its capability of unique indexes, if it has it, holds for the table of that name."""
        return True

    def translate_error(self, error: Exception, operation: Operation) -> IsthmusError | None:
        """The error of the tree for a native one, or ``None`` if it is unknown."""
        return None

    def explain(self, operation: Operation) -> Mapping[str, Any]:
        """The native request that an operation leads to, for people; empty where there is none to show."""
        return {}

    def native(self) -> Any:
        """The driver's own client: an escape hatch, outside of all layers and of the contract."""
        return None

    def close(self) -> None:  # noqa: B027  # many backends have nothing to release
        """Release everything; called once.

        Calls of other threads may still be at work. They end first, or end as ``Closed`` with nothing applied.
        """

    async def aclose(self) -> None:
        """The async twin of ``close``. It releases everything also when it is cancelled: nobody calls it again."""
        await _in_thread(self.close) if self.blocking else self.close()


async def _in_thread(close: Callable[[], None]) -> None:
    begun = threading.Lock()

    def close_once() -> None:
        if begun.acquire(blocking=False):
            close()

    try:
        await asyncio.to_thread(close_once)
    except asyncio.CancelledError:
        # Where no thread was free for it so far, none will begin it any more; the loop's own may not wait for it.
        try:
            threading.Thread(target=close_once, name="isthmus-close").start()
        except RuntimeError:  # the process gets no more threads
            close_once()
        raise
