from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from core.tests.cli.conftest import URL, Run

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

Watch = Callable[..., tuple[str, str]]


@contextmanager
def drained(descriptor: int) -> Iterator[list[bytes]]:
    """What is written to the other end, read by a thread so that no writer waits."""
    seen: list[bytes] = []

    def drain() -> None:
        # Reading fails when the other end is closed.
        with suppress(OSError):
            while read := os.read(descriptor, 65_536):
                seen.append(read)

    thread = threading.Thread(target=drain)
    thread.start()
    yield seen
    thread.join()
    os.close(descriptor)


@pytest.fixture
def watch(command: Run, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Run a command whose standard error is a terminal; what is seen there, and the output."""
    monkeypatch.setenv("TERM", "xterm")

    def run_command(*arguments: str, stdin: str = "") -> tuple[str, str]:
        master, slave = pty.openpty()
        with drained(master) as seen, monkeypatch.context() as patch, os.fdopen(slave, "w") as terminal:
            patch.setattr("sys.stderr", terminal)
            ended = command(*arguments, stdin=stdin)
        assert ended.code == 0
        return b"".join(seen).decode(), ended.out

    return run_command


LINES = '{"country":"IT","id":1}\n'
COMMANDS = [
    (("copy", URL, "memory://other"), "copy cities 3 items"),
    (("tables", "import", URL, "cities", "-"), "copy cities 1 items"),
    (("tables", "export", URL, "cities", "cities.jsonl"), "copy cities 3 items"),
    (("scan", URL, "cities"), "read cities 1 items"),
    (("query", URL, "cities", "country=FR"), "read cities 1 items"),
    (("count", URL, "cities"), "count cities"),
    (("validate", URL, "cities"), "validate cities 3 items"),
]


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize(("words", "shown"), COMMANDS)
def test_progress_is_shown_on_a_terminal(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], shown: str
) -> None:
    """What is done, with which table, and how far it has come."""
    monkeypatch.chdir(tmp_path)
    assert shown in watch(*words, stdin=LINES)[0]


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize("words", [words for words, _shown in COMMANDS])
def test_no_progress_is_shown_elsewhere(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A file or a pipe for standard error stays empty."""
    monkeypatch.chdir(tmp_path)
    ended = command(*words, stdin=LINES)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize("words", [("scan", URL, "cities"), ("tables", "export", URL, "cities", "-")])
def test_progress_leaves_standard_output_alone(command: Run, watch: Watch, words: tuple[str, ...]) -> None:
    """Items go where they are sent, not to the terminal."""
    _shown, out = watch(*words)
    assert (len(out.splitlines()), out) == (3, command(*words).out)


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize("words", [("scan", URL, "cities"), ("tables", "export", URL, "cities", "-")])
def test_items_on_a_terminal_are_the_progress(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Nothing else is drawn between them."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown, out = watch(*words)
    assert (shown, len(out.splitlines())) == ("", 3)
