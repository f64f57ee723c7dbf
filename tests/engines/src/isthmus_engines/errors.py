"""What can go wrong with an engine."""

from __future__ import annotations


class EngineError(Exception):
    """An engine was found, but does not work; the message holds the end of its log."""


class EngineMissing(EngineError):
    """An engine is not to be had on this machine; the message says how to provide it."""
