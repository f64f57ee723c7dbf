"""Plots as SVG text for a page: panels of horizontal bars, and panels of lines. Text takes the colour of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from attrs import frozen

COLOURS = ("#e4572e", "#2e86ab")
WIDTH, HEIGHT, LINE, LABELS, MARGIN = 380, 150, 16, 140, 50


@frozen
class Bar:
    """One bar.

    :param text: what stands at its end
    :param ours: whether it is highlighted
    """

    label: str
    value: float
    text: str
    ours: bool


@frozen
class Curve:
    """One line through points over the same places of the horizontal axis."""

    label: str
    values: Sequence[float]


def figure(panels: Iterable[str], caption: str) -> str:
    """Panels side by side with a caption, as one block of HTML without empty lines."""
    return f"<figure>{''.join(panels)}<figcaption>{escape(caption)}</figcaption></figure>\n"


def bars(title: str, entries: Sequence[Bar]) -> str:
    """A panel of horizontal bars from zero."""
    most = max(entry.value for entry in entries)
    room = WIDTH - LABELS - 60
    parts = [_text(0, 12, title, weight="bold")]
    for row, entry in enumerate(entries):
        top = 22 + row * LINE
        width = room * entry.value / most
        parts += [
            _text(LABELS - 6, top + 10, entry.label, anchor="end"),
            f'<rect x="{LABELS}" y="{top}" width="{width:.1f}" height="12" fill="{COLOURS[not entry.ours]}"/>',
            _text(LABELS + width + 4, top + 10, entry.text),
        ]
    return _panel(parts, 26 + len(entries) * LINE, title)


def lines(title: str, ticks: Sequence[object], curves: Sequence[Curve]) -> str:
    """A panel of lines over equally spaced ticks; the vertical axis starts at zero."""
    most = max(value for curve in curves for value in curve.values)
    bottom, room = HEIGHT - 18, HEIGHT - 56
    places = [MARGIN + position * (WIDTH - 2 * MARGIN) / (len(ticks) - 1) for position in range(len(ticks))]
    parts = [_text(0, 12, title, weight="bold"), _text(MARGIN - 6, bottom - room + 4, f"{most:,.0f}", anchor="end")]
    parts += [_text(MARGIN - 6, bottom + 4, "0", anchor="end"), _stroke(MARGIN, bottom, WIDTH - MARGIN, bottom)]
    parts += [_text(place, HEIGHT - 4, tick, anchor="middle") for place, tick in zip(places, ticks, strict=True)]
    for number, curve in enumerate(curves):
        points = [(x, bottom - room * y / most) for x, y in zip(places, curve.values, strict=True)]
        parts += [_stroke(*start, *end, COLOURS[number]) for start, end in pairwise(points)]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[number]}"/>' for x, y in points]
        parts.append(_text(MARGIN + 70 * number, 27, curve.label, colour=COLOURS[number]))
    return _panel(parts, HEIGHT, title)


def _panel(parts: Iterable[str], height: int, title: str) -> str:
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg {size} role="img" aria-label="{escape(title)}" font-size="11">{"".join(parts)}</svg>'


def _text(
    x: float, y: float, text: object, anchor: str = "start", colour: str = "currentColor", weight: str = "normal"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
    return f"<text {place}>{escape(str(text))}</text>"


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str = "currentColor") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="2"/>'
