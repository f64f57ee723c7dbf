"""The states of a migration, those included that live changes and cut-over will use."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a migration stands; written to the journal."""

    PLANNED = "planned"
    CAPTURING = "capturing"
    COPYING = "copying"
    COPIED = "copied"
    CATCHING_UP = "catching_up"
    VERIFYING = "verifying"
    DIFFERENT = "different"
    READY = "ready"
    CUT_OVER = "cut_over"
    FINALIZED = "finalized"
    PAUSED = "paused"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    CAPTURE_LOST = "capture_lost"

    @property
    def next_step(self) -> str:
        """What people do next with a migration in this state."""
        return _NEXT_STEPS.get(self, "ask for its report")


_NEXT_STEPS: Final = {
    State.PLANNED: "run it",
    State.COPYING: "resume it",
    State.PAUSED: "resume it",
    State.FAILED: "see its report, then resume it",
    State.COPIED: "verify it",
    State.VERIFYING: "verify it, which goes on where it was",
    State.DIFFERENT: "repair it",
    State.READY: "use the target, or plan anew to copy once more",
    State.ROLLING_BACK: "roll it back, which goes on where it was",
    State.ROLLED_BACK: "plan anew in another directory",
}
