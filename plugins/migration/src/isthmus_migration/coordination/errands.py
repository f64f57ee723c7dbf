"""Work that the coordinator does itself, step by step: with the waits, bounds and interruptions of slices."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.waiting import Waiting, is_passing
from isthmus_migration.journal.journal import Journal

_TICK: Final = 0.1
_NAME: Final = "coordinator"


@define
class Errand:
    """One piece of such work.

    :param step: does the next of it, and says whether more may be left; one that failed is done again
    """

    journal: Journal
    control: ControlFile
    options: RunOptions
    step: Callable[[], bool]
    stopping: bool = False
    _announced: str = field(default="going_on", init=False)
    _waits: bool = field(default=False, init=False)

    def stop(self) -> None:
        """Begin no other step."""
        self.stopping = True

    def run(self) -> PhaseOutcome:
        """Work until all is done, or something ends the run.

        :raises IsthmusError: what no repetition can mend
        """
        waiting = Waiting(self.options.patience)
        while True:
            paused = self._listen() == "pause"
            if self.stopping:
                return PhaseOutcome("stopped", "it was told to stop")
            if waiting.exhausted:
                return PhaseOutcome("unreachable", waiting.reason)
            self._waits = self._waits and not waiting.due()
            if paused or self._waits:
                time.sleep(_TICK)
            elif not self._try(waiting):
                return PhaseOutcome("finished")

    def _listen(self) -> str:
        command = self.control.read().command
        self.stopping = self.stopping or command == "stop"
        now = "stopping" if self.stopping else "paused" if command == "pause" else "going_on"
        if now != self._announced:
            self._announced = now
            self._tell(now, active=0)
        self._tell("tick", active=0)
        return command

    def _tell(self, code: str, **data: Any) -> None:
        self.options.listener(code, data)

    def _try(self, waiting: Waiting) -> bool:
        try:
            more = self.step()
        except IsthmusError as error:
            if not is_passing(error):
                raise
            if not waiting.troubled:
                self.journal.event("warning", "waiting", unit=_NAME, reason=error.message)
            waiting.add(_NAME, error.message)
            self._waits = True
            return True
        if waiting.troubled:
            self.journal.event("info", "working_again")
        waiting.succeeded(_NAME)
        return more
