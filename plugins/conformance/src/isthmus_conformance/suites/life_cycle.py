"""Life cycle."""

from __future__ import annotations

from isthmus_conformance.base import Suite


class LifeCycleSuite(Suite):
    """Life cycle."""
