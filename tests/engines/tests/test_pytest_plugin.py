"""The fixtures in runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ADVICE = "set ISTHMUS_ENGINE_MONGODB_URL to a running server"
USE = "def test_url(mongodb_url): assert mongodb_url.startswith('mongodb:')\n"
SHARE = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(4))
def test_share(number, running_engine):
    here = pathlib.Path(__file__).parent
    (here / f"worker-{os.getpid()}").touch()
    (here / f"server-{running_engine('moto').process_ids[0]}").touch()
"""


def run(folder: Path, source: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file in a folder of its own, without the settings of this run."""
    (folder / "test_it.py").write_text(source)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS_", "PYTEST_", "CI"))}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, **variables}, cwd=folder, timeout=600
    )


def nothing_here(folder: Path) -> dict[str, str]:
    """The environment of a machine without mongod, a cache and a package index."""
    cache, index = str(folder / "cache"), str(folder / "index")
    return {"PATH": "/nowhere", "ISTHMUS_ENGINE_CACHE": cache, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": index}


def test_without_an_engine_a_test_skips_with_advice(tmp_path: Path) -> None:
    """The summary of the run says what was tried and what to do."""
    done = run(tmp_path, USE, **nothing_here(tmp_path))
    assert (done.returncode, "1 skipped" in done.stdout) == (0, True), done.stdout
    assert ADVICE in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_without_an_engine_continuous_integration_fails(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Where `CI=true`, the same is a failure with the same advice."""
    done = run(tmp_path, USE, *workers, CI="true", **nothing_here(tmp_path))
    assert (done.returncode, ADVICE in done.stdout) == (1, True), done.stdout


def test_a_server_that_runs_already_needs_nothing(tmp_path: Path) -> None:
    """With its address in the environment a run neither looks for a program nor starts one."""
    done = run(tmp_path, USE, ISTHMUS_ENGINE_MONGODB_URL="mongodb://elsewhere/", CI="true", **nothing_here(tmp_path))
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_workers_share_one_server_that_ends_with_the_run(tmp_path: Path) -> None:
    """Two workers use one process, which is gone when the run is over."""
    done = run(tmp_path, SHARE, "-n", "2", "--dist", "each")
    assert (done.returncode, "8 passed" in done.stdout) == (0, True), done.stdout
    (server,) = tmp_path.glob("server-*")
    assert len(list(tmp_path.glob("worker-*"))) == 2
    assert not Path(f"/proc/{server.name.removeprefix('server-')}").exists()
