"""Dry runs for people, on a terminal. Values are shown: whoever asks for a dry run asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from isthmus.expressions import MISSING
from isthmus.values import dumps
from isthmus_migration.transforms.differences import Change, Sample
from isthmus_migration.transforms.paths import shown

if TYPE_CHECKING:
    from rich.console import RenderableType

_LONGEST: Final = 60
_STYLES: Final = {"added": "green", "removed": "red", "changed": "yellow", "renamed": "cyan"}
_MARKS: Final = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


def render_samples(samples: Sequence[Sample], key_names: Iterable[str]) -> RenderableType:
    """What a dry run made of some items, with a line for each change and a summary.

    :param key_names: the key attributes of the source's table
    """
    from rich.console import Group

    names = tuple(key_names)
    return Group(*(line for sample in samples for line in _lines(sample, names)), _summary(samples))


def _lines(sample: Sample, names: tuple[str, ...]) -> Iterator[RenderableType]:
    from rich.text import Text

    # Everything is plain text: data may hold what rich takes for markup.
    yield Text(_short({name: sample.before[name] for name in names if name in sample.before}), style="bold")
    if sample.error is not None:
        yield Text(f"  dead letter, {sample.error.code}: {sample.error.message}", style="red")
    elif sample.after is None:
        yield Text("  left out", style="dim")
    elif not sample.changes:
        yield Text("  unchanged", style="dim")
    for change in sample.changes:
        yield Text(f"  {change_text(change)}", style=_STYLES[change.kind])


def change_text(change: Change) -> str:
    """A change as one line: mark, path, types and values."""
    before, after = change.types
    place = shown(change.path) if change.former is None else f"{shown(change.former)} -> {shown(change.path)}"
    kinds = " -> ".join(kind for kind in dict.fromkeys((before, after)) if kind is not None)
    values = [_short(value) for value in (change.before, change.after) if value is not MISSING]
    shown_values = values[:1] if change.kind == "renamed" else values
    return f"{_MARKS[change.kind]} {place} ({kinds}): {' -> '.join(shown_values)}"


def _short(value: Any) -> str:
    text = dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _summary(samples: Sequence[Sample]) -> RenderableType:
    from rich.text import Text

    refused = sum(sample.error is not None for sample in samples)
    left_out = sum(sample.after is None for sample in samples) - refused
    written = len(samples) - refused - left_out
    return Text(f"{len(samples)} items: {written} would be written, {left_out} left out, {refused} dead letters")
