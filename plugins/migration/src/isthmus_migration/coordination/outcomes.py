"""How a phase of a run ended."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Ending = Literal["finished", "stopped", "unreachable", "dead_limit", "blocked"]
"""``blocked``: all is done but units whose next item kills every worker that touches it."""


@frozen
class PhaseOutcome:
    """How a phase ended; whatever it was, the journal holds all that was done.

    :param reason: what was in the way, where it did not finish
    """

    ending: Ending
    reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether all units are done."""
        return self.ending == "finished"
