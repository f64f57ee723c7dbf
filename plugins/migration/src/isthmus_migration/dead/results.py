"""What came of trying dead letters again."""

from __future__ import annotations

from typing import Any

from attrs import asdict, frozen


@frozen
class Replay:
    """What a replay came to.

    :param tried: letters that were tried
    :param replayed: those whose items the target holds now
    :param skipped: those whose items stay out as the plan says: filtered, expired, or kept as they are in the target
    :param failed: those that stay dead letters, with the new reason
    """

    tried: int = 0
    replayed: int = 0
    skipped: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON-ready data."""
        return asdict(self)
