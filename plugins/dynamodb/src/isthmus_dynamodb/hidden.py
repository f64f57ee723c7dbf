"""The attributes that the backend adds to items: they are stored, and never returned or judged as the caller's."""

from __future__ import annotations

from typing import Final

OPERATION_ID: Final = "__op"
"""Names the last write that is not idempotent (rule CND-7)."""

MARK: Final = "__rv"
"""Tells puts apart that have no such id; a put takes the place of both."""

HIDDEN: Final = (OPERATION_ID, MARK)
