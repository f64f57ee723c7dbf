"""The LMDB example as a third party would ship it: a wheel in a clean environment, proven by the kit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "isthmus-lmdb"
GUIDE = ROOT / "docs" / "how-to" / "write-a-backend.md"
MOST_LINES = 350
# Building takes most of the time, so one worker builds for all tests of this file.
pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.xdist_group("third_party")]

ROUND_TRIP = """
import sys
import isthmus

with isthmus.connect(sys.argv[1]) as db:
    cities = db.table("cities", partition_key="country", sort_key="id").ensure()
    cities.put({"country": "FR", "id": "75", "name": "Paris"})
with isthmus.connect(sys.argv[1]) as db:
    print(db.tables.open("cities").get(country="FR", id="75")["name"])
"""

REFUSED = """
import sys
import isthmus

try:
    isthmus.connect(sys.argv[1])
except isthmus.IsthmusError as error:
    print(type(error).__name__)
"""


@attrs.frozen
class Environment:
    """A clean virtual environment with the example and the kit."""

    folder: Path

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run this environment's interpreter outside of the repository's import paths."""
        command = [str(self.folder / "bin" / "python"), "-I", *map(str, arguments)]
        return completed(command, cwd=self.folder, **variables)

    def script(self, text: str, *arguments: str) -> str:
        """What a script printed."""
        done = self.run("-W", "error", "-c", text, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def completed(command: list[str], cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """A finished process that inherited no Python settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env={**inherited, **variables}, timeout=300
    )


def checked(*command: str | Path) -> None:
    """Run a command that must succeed."""
    done = completed([str(part) for part in command])
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Wheels of core, kit and example, with what they depend on, installed from the wheels alone."""
    folder = tmp_path_factory.mktemp("third_party")
    wheels, made = folder / "wheels", folder / "environment"
    sources = [ROOT / "core", ROOT / "plugins" / "conformance", EXAMPLE]
    options: list[str | Path] = ["--quiet", "--no-build-isolation", "-c", ROOT / "constraints.txt", "-w", wheels]
    checked(sys.executable, "-m", "pip", "wheel", *options, *sources)
    checked(sys.executable, "-m", "venv", "--without-pip", made)
    offline: list[str | Path] = ["--quiet", "--no-index", "--find-links", wheels]
    pip = [sys.executable, "-m", "pip", "--python", str(made / "bin" / "python")]
    checked(*pip, "install", *offline, "isthmus-lmdb[test]")
    return Environment(made)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: waiting for a disk is most of what thousands of durable commits cost."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder) / "stores"


def test_url_opens_the_installed_backend(environment: Environment, tmp_path: Path) -> None:
    """The entry point makes `lmdb:` URLs work, and what was written is there after the file was closed."""
    assert environment.script(ROUND_TRIP, f"lmdb:///{tmp_path / 'cities.lmdb'}") == "Paris"


@pytest.mark.parametrize(
    ("tail", "error"), [("?map=1", "ConfigurationError"), ("", "IntegrityError"), ("/x.lmdb", "ConfigurationError")]
)
def test_unusable_url_is_refused(environment: Environment, tmp_path: Path, tail: str, error: str) -> None:
    """An unknown option, a foreign file and a path that can't be opened are each refused with an error of the tree."""
    foreign = tmp_path / "foreign.lmdb"
    foreign.write_bytes(b"something else " * 1_000)
    assert environment.script(REFUSED, f"lmdb:///{foreign}{tail}") == error


def test_kit_passes(environment: Environment, tmp_path: Path, scratch: Path) -> None:
    """The installed backend passes its own tests and the whole kit, on the sync and on the async database.

    Always with the ``dev`` profile, also where ``CI`` is set: each write is durable, so ``ci`` takes several times
    longer; memory and SQLite run that.
    """
    suite = shutil.copytree(EXAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    options: list[str | Path] = [
        "-v",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
        "--basetemp",
        scratch,
    ]
    done = environment.run("-m", "pytest", *options, suite, ISTHMUS_CONFORMANCE_PROFILE="dev")
    passed = re.findall(r"::TestLMDB::(\w+)(\[\S*\])? PASSED", done.stdout)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
    assert len(passed) > 100
    assert {mode for mode in ("sync", "async") if any(mode in case for _name, case in passed)} == {"sync", "async"}


def test_example_is_small() -> None:
    """A complete backend fits in about 350 lines of Python, blank ones not counted; the guide says both numbers."""
    files = sorted((EXAMPLE / "src").rglob("*.py"))
    raw = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in raw if line.strip()]
    assert 100 < len(lines) <= MOST_LINES
    assert f"has {len(lines)} lines of code in five files, {len(raw)} with the blank ones" in GUIDE.read_text("utf-8")


def test_example_imports_public_names_only() -> None:
    """The example needs nothing of `isthmus` whose name begins with an underscore."""
    files = sorted((EXAMPLE / "src").rglob("*.py"))
    imports = [
        line
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"(from|import) isthmus[ .]", line)
    ]
    assert imports
    assert [line for line in imports if re.search(r"[ .]_", line)] == []
