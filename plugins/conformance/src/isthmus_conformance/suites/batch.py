"""Batches."""

from __future__ import annotations

from isthmus_conformance.base import Suite


class BatchSuite(Suite):
    """Batches."""
