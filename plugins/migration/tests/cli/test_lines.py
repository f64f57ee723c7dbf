from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from typing import IO

import pytest
from attrs import evolve

from isthmus_migration.cli.lines import clock, progress_line, readable_size
from isthmus_migration.cli.watching import Remarks
from isthmus_migration.coordination.progress import Figures
from plugins.migration.tests.cli.helpers import MAIN, PATIENCE, Ends

FIGURES = Figures(
    "copy", 62.1, 1_234_567, 1_987_000, 3_420.4, 1_100_000, 219, 64, 41, 4, 0.02, 3, 2
)  # fmt: skip


def test_the_line_has_everything() -> None:
    """Estimates are marked, shares are percentages, the rest of the time is minutes and seconds."""
    assert progress_line(FIGURES) == (
        "copy 62.1%  1,234,567/≈1,987,000 items  3,420/s  1.1 MB/s  ETA 03:39  units 41/64 (4 active)  throttled 2%  "
        "dead 3  workers 2"
    )


def test_an_estimate_that_was_too_low_grows() -> None:
    """More items than were estimated: the line never says that there are fewer than were read."""
    assert "2,000,000/≈2,000,000 items" in progress_line(evolve(FIGURES, items=2_000_000))


def test_what_is_not_known_is_left_out() -> None:
    """Before the first slice there is no rate, and some stores don't tell how much they hold."""
    line = progress_line(evolve(FIGURES, total=None, rate=None, workers=0))
    assert "1,234,567 items  units" in line
    assert "workers" not in line


def test_the_line_says_what_it_waits_for() -> None:
    """A reason is one, a command is one word."""
    assert progress_line(evolve(FIGURES, waiting="no answer")).endswith("  waiting: no answer")
    assert progress_line(evolve(FIGURES, waiting="paused")).endswith("  paused")


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00"), (59.6, "01:00"), (3_599, "59:59"), (3_600, "1:00:00")])
def test_times(seconds: float, shown: str) -> None:
    """Hours only where there are some."""
    assert clock(seconds) == shown


@pytest.mark.parametrize(("size", "shown"), [(999, "999 B"), (1_500, "1.5 kB"), (2e9, "2.0 GB"), (5e15, "5000.0 TB")])
def test_sizes(size: float, shown: str) -> None:
    """Powers of ten."""
    assert readable_size(size) == shown


def test_the_same_reason_is_said_once() -> None:
    """Units that wait for the same thing don't fill the terminal."""
    said: list[str] = []
    remarks = Remarks(said.append)
    for reason in ("away", "away", "busy"):
        remarks.tell("waiting", {"reason": reason})
    assert said == ["waiting, and trying again: away", "waiting, and trying again: busy"]


def test_a_terminal_gets_a_live_line(planned: Ends) -> None:
    """The line is on standard error only, and is gone at the end; standard output has the table alone."""
    ours, theirs = pty.openpty()
    arguments = ["migrate", "run", planned.workdir, "--engine", "inline"]
    with (
        open(ours, "rb", buffering=0) as screen,  # noqa: PTH123  # a descriptor
        subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments], stdout=subprocess.PIPE, stderr=theirs, text=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        ) as process,
    ):  # fmt: skip
        os.close(theirs)
        shown = _all_of(screen)
        out, _none = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "copy 100.0%  60 items" in shown
    assert shown.rstrip().endswith("\x1b[2K") or "\x1b[1A\x1b[2K" in shown
    assert "100.0%" not in out
    assert "everything is copied" in out


def _all_of(screen: IO[bytes]) -> str:
    """What a terminal was sent: it is read piece by piece, and fails at its end."""
    pieces: list[bytes] = []
    with suppress(OSError):
        while piece := screen.read(65_536):
            pieces.append(piece)
    return b"".join(pieces).decode()
