"""Projections as ``ProjectionExpression``."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.expressions import Path
from isthmus_dynamodb.placeholders import Placeholders


def projection_text(paths: Iterable[Path], placeholders: Placeholders) -> str:
    """The paths of a projection; the core has made sure that none lies inside another."""
    return ", ".join(map(placeholders.path, paths))


def with_attribute(paths: tuple[Path, ...], name: str) -> tuple[Path, ...]:
    """The paths, and one whole top-level attribute in place of those inside it."""
    return (*(path for path in paths if path[0] != name), (name,))
