"""How failures of plugins are logged: by type and place, never with values."""

from __future__ import annotations

from traceback import StackSummary, walk_tb

from loguru import logger


def log_failure(what: str, error: Exception) -> None:
    """Log what failed, the exception's type, and the lines that led there, innermost last.

    The text of a foreign exception may hold values, and a log that prints variables would show items and keys: so the
    exception itself never goes to the log.
    """
    frames = StackSummary.extract(walk_tb(error.__traceback__), lookup_lines=False)
    place = ", ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
    logger.error("{}: {} at {}", what, type(error).__qualname__, place)
