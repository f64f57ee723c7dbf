from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from plugins.migration.tests.cli.helpers import Ends, Ran, Run, ran


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Two SQLite files and a work directory; the source has 60 things. Temporary folders are removed with them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ends = Ends(tmp_path)
    ends.fill(60)
    return ends


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run_command(*arguments: str) -> Ran:
        return ran(capsys, *arguments)

    return run_command


@pytest.fixture
def planned(ends: Ends, command: Run) -> Ends:
    """The same, with a plan."""
    made = command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir)
    assert made.code == 0, made.err
    return ends


@pytest.fixture
def copied(planned: Ends, command: Run) -> Ends:
    """The same, copied."""
    copied = command("migrate", "run", planned.workdir, "--engine", "inline")
    assert copied.code == 0, copied.err
    return planned
