"""The attribute that the backend adds to items: it is stored, and never read, returned or judged as the caller's."""

from __future__ import annotations

from typing import Final

OPERATION_ID: Final = "__op"
"""Names the last write that is not idempotent (rule CND-7)."""
