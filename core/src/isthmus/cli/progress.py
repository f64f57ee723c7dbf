"""Progress of long work, on standard error and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from isthmus import copying
from isthmus.values import Item

# Items between two changes of the display.
_STRIDE = 100


@contextmanager
def shown_progress(*, printing: bool = False, remarking: bool = False) -> Iterator[copying.Reporter | None]:
    """A reporter for the functions of ``isthmus.copying``, or ``None`` where nobody would see it.

    :param printing: whether items are printed meanwhile; on a terminal, they are the progress
    :param remarking: whether a line is printed now and then; on a terminal, it stands above the progress
    """
    if printing and sys.stdout.isatty():
        yield None
        return
    with _shown(redirect=remarking and sys.stdout.isatty()) as show:
        yield None if show is None else lambda step: show(f"{step.phase} {step.table}", step.items)


def shown_items(title: str, items: Iterable[Item]) -> Iterator[Item]:
    """The items, with progress while they are read to be printed."""
    if sys.stdout.isatty():
        yield from items
        return
    with _shown() as show:
        for number, item in enumerate(items, 1):
            if show is not None and number % _STRIDE == 1:
                show(title, number)
            yield item


@contextmanager
def shown_wait(title: str) -> Iterator[None]:
    """Say what is done for as long as it takes; how far it has come is not known."""
    with _shown("{task.description}") as show:
        if show is not None:
            show(title, 0)
        yield


@contextmanager
def _shown(
    text: str = "{task.description} {task.completed:,.0f} items", *, redirect: bool = False
) -> Iterator[Callable[[str, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn(text, markup=False), TimeElapsedColumn())
    # Redirected, what commands print for a file or a pipe would go to the terminal.
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=redirect, redirect_stderr=False) as bars:
        tasks: dict[str, TaskID] = {}

        def show(title: str, items: int) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=None)
            bars.update(tasks[title], completed=items)

        yield show
