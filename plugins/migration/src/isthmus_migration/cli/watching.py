"""How a run is shown where it runs: a live line, remarks, or JSON events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from isthmus.cli.output import warn
from isthmus_migration.cli.lines import progress_line
from isthmus_migration.coordination.options import Listener
from isthmus_migration.coordination.progress import Figures
from isthmus_migration.coordination.reporting import event_line

_QUIET: Final = ("slice", "tick")


@contextmanager
def shown_run(*, as_json: bool) -> Iterator[Listener]:
    """A listener that shows what a run tells: JSON lines on standard output, or a line for people on standard error."""
    if as_json:
        yield print_event
    elif sys.stderr.isatty():
        with _live_line() as listener:
            yield listener
    else:
        yield Remarks(warn).tell


def print_event(code: str, data: dict[str, Any]) -> None:
    """An event as a line of JSON on standard output."""
    if code not in _QUIET:
        print(event_line(code, data), flush=True)


class Remarks:
    """Tells people what they should know or do, once for each thing.

    :param say: shows a line
    """

    def __init__(self, say: Any) -> None:
        self._say = say
        self._waiting = ""

    def tell(self, code: str, data: dict[str, Any]) -> None:
        """Remark on an event, if it needs to be."""
        text = self._text(code, data)
        if text:
            self._say(text)

    def _text(self, code: str, data: dict[str, Any]) -> str:
        if code == "waiting" and data["reason"] != self._waiting:
            self._waiting = data["reason"]
            return f"waiting, and trying again: {self._waiting}"
        if code == "stopping":
            return "stopping: slices at work are finished first, nothing is lost; Ctrl-C again stops now"
        if code == "worker_died":
            return f"a worker died on unit {data['unit']}; what it had begun is done again"
        return {"paused": "paused: go on with `isthmus migrate resume`", "going_on": "going on"}.get(code, "")


@contextmanager
def _live_line() -> Iterator[Listener]:
    # Only a terminal needs it.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    with Live(
        console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        remarks = Remarks(lambda text: console.print(Text(text)))

        def listen(code: str, data: dict[str, Any]) -> None:
            if code == "progress":
                live.update(Text(progress_line(Figures.from_dict(data)), overflow="fold"), refresh=True)
            else:
                remarks.tell(code, data)

        yield listen
