"""The states of a migration, those included that live changes and cut-over will use."""

from __future__ import annotations

from enum import StrEnum


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
