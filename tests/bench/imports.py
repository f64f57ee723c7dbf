"""The time of ``import isthmus`` against the import of its four dependencies alone."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from tests.bench.measure import Block, Measurement, compared, paired

DEPENDENCIES = "import pluggy, attrs, cattrs, loguru"
TIMER = "import time; started = time.perf_counter(); {statement}; print(time.perf_counter() - started)"


def measure() -> list[Measurement]:
    """Imports in fresh processes: the bare one, and all that a program with a database uses."""
    with TemporaryDirectory(prefix="isthmus-bench-") as cache:
        return [_compared("import isthmus", 1.6, cache), _compared("from isthmus import connect, F", 2.0, cache)]


def _compared(statement: str, bar: float, cache: str) -> Measurement:
    rounds = paired(_importing(statement, cache), _importing(DEPENDENCIES, cache), rounds=15)
    return compared(statement, rounds, bar, unit="ms", scale=1e3)


def _importing(statement: str, cache: str) -> Block:
    """A block that imports with compiled files from the cache: packages that pip installed have them already."""
    command = [sys.executable, "-c", TIMER.format(statement=statement)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache

    def block() -> float:
        return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)

    return block
