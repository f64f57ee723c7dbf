"""An event loop in a thread, for Dask: a loop that a client makes for itself goes on for ever if it can't connect."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

_ENDING: Final = 10.0


class LoopThread:
    """The loop, which runs from the beginning until it is stopped.

    :ivar loop: as Tornado's, which Dask takes
    :raises OSError: this process gets none
    """

    def __init__(self) -> None:
        self.loop: Any = None
        self._failed: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="isthmus-dask", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise OSError(f"no event loop can be made: {self._failed}") from self._failed

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._until_stopped())
        except BaseException as error:
            if self.loop is not None:
                raise
            self._failed = error
        finally:
            self._ready.set()

    async def _until_stopped(self) -> None:
        from tornado.ioloop import IOLoop

        self.loop, self._stopped = IOLoop.current(), asyncio.Event()
        self._ready.set()
        await self._stopped.wait()

    def stop(self) -> None:
        """End it, with all that still runs on it."""
        self.loop.add_callback(self._stopped.set)
        self._thread.join(_ENDING)
