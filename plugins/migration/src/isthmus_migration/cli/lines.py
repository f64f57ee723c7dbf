"""The line that shows how far a phase has come, and remarks on what happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from isthmus_migration.coordination.progress import Figures
from isthmus_migration.journal.acceptances import AcceptedPlan

_HASH: Final = 16
"""So many digits of a plan's hash tell it from others."""


def progress_line(figures: Figures) -> str:
    """The figures as one line for people."""
    parts = [
        f"{figures.phase} {figures.percent:.1f}%", _items(figures), *_rates(figures),
        f"units {figures.units_done}/{figures.units} ({figures.active} active)", f"throttled {figures.throttled:.0%}",
        f"dead {figures.dead}",
    ]  # fmt: skip
    if figures.workers:
        parts.append(f"workers {figures.workers}")
    if figures.waiting:
        parts.append(f"waiting: {figures.waiting}" if figures.waiting not in _COMMANDS else figures.waiting)
    return "  ".join(parts)


_COMMANDS = ("paused", "stopping")


def _items(figures: Figures) -> str:
    whole = "" if figures.total is None or figures.percent == 100 else f"/≈{max(figures.total, figures.items):,}"
    return f"{figures.items:,}{whole} items"


def _rates(figures: Figures) -> list[str]:
    if figures.rate is None:
        return []
    shown = [f"{figures.rate:,.0f}/s", f"{readable_size(figures.size_rate or 0)}/s"]
    return [*shown, f"ETA {clock(figures.seconds_left)}"] if figures.seconds_left is not None else shown


def accepted_lines(accepted: Iterable[AcceptedPlan]) -> Iterator[str]:
    """What people see of plans that were accepted: which, instead of which, and what was copied before."""
    for one in accepted:
        before = "; ".join(table.text for table in one.tables) or "nothing of what changes"
        yield f"a new plan {one.plan[:_HASH]} was accepted instead of {one.former[:_HASH]}, copied before: {before}"


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, or hours, minutes and seconds."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3_600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def readable_size(size: float) -> str:
    """Bytes in the unit that fits, powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"
