"""A small plot of rates over time, as SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from isthmus_migration.reports.paces import Point

_WIDTH: Final = 720
_HEIGHT: Final = 180
_LEFT: Final = 64
_BOTTOM: Final = 22
_TOP: Final = 12


def rate_plot(points: Sequence[Point]) -> str:
    """The plot, or nothing where there are too few points for a line."""
    if len(points) < 2:
        return ""
    highest, begun = max(point.rate for point in points) or 1.0, points[0].time
    span = (points[-1].time - begun) or 1.0
    path = " ".join(_step(point, begun, span, highest) for point in points)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="items a second over the time at work">'
        f'<line class="axis" x1="{_LEFT}" y1="{_HEIGHT - _BOTTOM}" x2="{_WIDTH}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<line class="axis" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{highest:,.0f}/s</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">0 s</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{span:,.0f} s at work</text>'
        f'<path class="rate" d="{path}"/></svg>'
    )


def _step(point: Point, begun: float, span: float, highest: float) -> str:
    across = _LEFT + (point.time - begun) / span * (_WIDTH - _LEFT)
    above = _HEIGHT - _BOTTOM - point.rate / highest * (_HEIGHT - _BOTTOM - _TOP)
    return f"{'L' if point.joined else 'M'}{across:.1f} {above:.1f}"
