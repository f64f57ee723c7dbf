"""What a transform refuses about an item."""

from __future__ import annotations

from isthmus.expressions import Path, path_text
from isthmus_migration.errors import MigrationError


class TransformError(MigrationError):
    """An item can't be transformed as declared. A Python function may raise it too, with a code of its own.

    :param code: stable text for programs, ``attribute_exists`` say
    :param path: where in the item; empty for the item as a whole
    :param reason: what is wrong and what to do, never a value
    """

    code = "transform_error"

    def __init__(self, code: str, path: Path, reason: str) -> None:
        super().__init__(f"{path_text(path)}: {reason}" if path else reason)
        # Each item's refusal has a code of its own, which becomes that of its dead letter.
        self.code = code  # type: ignore[misc]
        self.path = path
        self.reason = reason
