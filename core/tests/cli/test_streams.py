"""Standard streams that are closed, full, narrow, or of an encoding that lacks characters."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import isthmus
from isthmus.cli.output import grid

MAIN = "import sys\nfrom isthmus.cli.main import main\nsys.exit(main())"


def _shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it, with a redirection."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-c", MAIN, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_closed_streams_are_no_error() -> None:
    """The exit code is that of the command, and what is for one stream never goes to another."""
    done = _shell("<&- >&-", "explain", "memory://")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_without_room_is_said_in_one_line() -> None:
    """A full disk behind a redirection: no traceback, and not the code that means no."""
    done = _shell(">/dev/full", "explain", "memory://")
    assert (done.returncode, done.stderr.count("\n"), "No space left" in done.stderr) == (3, 1, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_file_without_room_is_named(tmp_path: Path) -> None:
    """And not the standard output, which has room."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with isthmus.connect(url) as database:
        database.tables.create(isthmus.Table("things", "id")).put({"id": "1"})
    done = _shell("", "tables", "export", url, "things", "/dev/full", "--force")
    assert (done.returncode, done.stderr.startswith("error: /dev/full can't be used")) == (3, True)


def test_what_an_encoding_lacks_is_escaped() -> None:
    """As JSON escapes it, so that what programs read stays JSON."""
    stream = """
import io, json, sys
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="ascii")
from isthmus.cli.streams import prepare_streams
prepare_streams()
print(json.dumps("caf\\u00e9 \\u2248 \\U0001f600", ensure_ascii=False))
"""
    done = subprocess.run([sys.executable, "-c", stream], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == "caf\u00e9 \u2248 \U0001f600"


def _printed(width: int, columns: list[str], *rows: tuple[object, ...]) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(grid("", columns, rows, width))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def test_long_cells_go_on_in_the_next_line() -> None:
    """Nothing of them is cut off."""
    lines = _printed(30, ["key", "count"], ("x" * 100, 7))
    assert ("".join(lines).count("x"), max(map(len, lines))) == (100, 30)


@pytest.mark.parametrize("width", [5, 20])
def test_columns_without_room_are_lines(width: int) -> None:
    """A terminal too narrow for the headings shows each cell in a line of its own."""
    lines = _printed(width, ["table", "into", "read"], ("a", "b", 1_000), ("c", "d", 2))
    assert "".join(lines[:4] if width == 20 else lines).replace(" ", "").startswith("table:ainto:bread:1000")
    assert "\u2026" not in "".join(lines)
