"""Errors that are never an item's fault."""

from __future__ import annotations

from typing import Final

from isthmus import errors

PLACE_FAULTS: Final = (
    errors.Unavailable, errors.Throttled, errors.DeadlineExceeded, errors.Unauthenticated, errors.PermissionDenied,
    errors.TableNotFound, errors.SchemaMismatch, errors.UnsupportedOperation, errors.ConfigurationError, errors.Closed,
    errors.Conflict, errors.OutcomeUnknown, errors.CircuitOpen,
)  # fmt: skip
"""What is never an item's fault, so that no item becomes a dead letter for it."""
