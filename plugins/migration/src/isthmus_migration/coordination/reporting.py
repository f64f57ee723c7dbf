"""What a run tells of itself: to ``events.jsonl`` in the work directory, and to whoever listens."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Self

from attrs import define, field

from isthmus_migration.coordination.options import Listener
from isthmus_migration.coordination.progress import Figures, Progress
from isthmus_migration.coordination.thinning import thin

_EVERY: Final = 1.0
"""Seconds between two reports of progress."""
_TAIL: Final = 65_536
MOST_BYTES: Final = 16 << 20
"""Size at which the file of events is made smaller: about a day of progress."""


class EventFile:
    """``events.jsonl``: an event on each line, with ``time`` (seconds since 1970) and ``event``; a context manager.

    It is for people and programs that watch. The journal is what counts, so a line that can't be written is left out.
    It never becomes much larger than 16 MB: old reports of progress make room for new ones.
    """

    def __init__(self, workdir: Path) -> None:
        self._path = events_path(workdir)
        self._stream: IO[str] | None = None
        self._most = MOST_BYTES

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._stream = self._path.open("a", encoding="utf-8")
            if self._stream.tell() and not _ends_with_a_line(self._path):
                self._stream.write("\n")
        return self

    def __exit__(self, *_error: object) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()

    def tell(self, code: str, data: dict[str, Any]) -> None:
        """Write an event."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.write(event_line(code, data) + "\n")
                self._stream.flush()
                if self._stream.tell() > self._most:
                    self._make_smaller()

    def _make_smaller(self) -> None:
        self._most += MOST_BYTES  # where it fails, on a full disk say, it is not tried again with each event
        thin(self._path, MOST_BYTES * 3 // 4)
        former, self._stream = self._stream, self._path.open("a", encoding="utf-8")
        self._most = MOST_BYTES
        if former is not None:
            former.close()


def events_path(workdir: Path) -> Path:
    """Where the events of a work directory are."""
    return workdir / "events.jsonl"


def event_line(code: str, data: dict[str, Any]) -> str:
    """An event as one line of JSON."""
    return json.dumps({"time": round(time.time(), 3), "event": code, **data}, ensure_ascii=False, default=str)


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"


def read_events(workdir: Path) -> Generator[dict[str, Any]]:
    """The events of a work directory in order; a line that was cut off by the end of its process is left out."""
    try:
        stream = events_path(workdir).open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with stream:
        yield from _parsed(stream)


def last_figures(workdir: Path) -> tuple[float, Figures] | None:
    """The time and the figures of the last report of progress, if it is not long past."""
    try:
        with events_path(workdir).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = [event for event in _parsed(lines) if event["event"] == "progress"]
    return (found[-1]["time"], Figures.from_dict(found[-1])) if found else None


def _parsed(lines: IO[str] | list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


@define
class Reporter:
    """Passes events on, and makes reports of progress out of slices: one a second at most.

    :param progress: of the phase at work
    """

    _file: EventFile
    _listener: Listener
    progress: Progress | None = None
    _next: float = field(default=0.0, init=False)

    def tell(self, code: str, data: dict[str, Any]) -> None:
        """Learn of an event."""
        if self.progress is not None:
            self._learn(self.progress, code, data)
        if code == "ended":
            self._report()
        if code != "tick":
            self._listener(code, data)
            if code != "slice":
                self._file.tell(code, data)
        if code == "phase" or (code != "ended" and time.monotonic() >= self._next):
            self._report()

    def _learn(self, progress: Progress, code: str, data: dict[str, Any]) -> None:
        if code == "slice":
            progress.slice_done(data)
        elif code == "tick":
            progress.at_work(data["active"])
        elif code == "waiting":
            progress.waits(data["reason"])
        elif code == "working_again":
            progress.waits("")
        elif code in ("paused", "stopping", "going_on"):
            progress.told("" if code == "going_on" else code)
        elif code == "ended":
            progress.at_work(0)

    def _report(self) -> None:
        if self.progress is None:
            return
        self._next = time.monotonic() + _EVERY
        figures = self.progress.figures().to_dict()
        self._listener("progress", figures)
        self._file.tell("progress", figures)
