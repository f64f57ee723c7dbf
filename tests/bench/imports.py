"""The time of ``import isthmus`` against the import of its four dependencies alone."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.measure import Block, Measurement, compared, paired

DEPENDENCIES = "import pluggy, attrs, cattrs, loguru"
TIMER = "import time; started = time.perf_counter(); {statement}; print(time.perf_counter() - started)"


def measure() -> list[Measurement]:
    """Imports in fresh processes: the bare one, and all that a program with a database uses."""
    return [_compared("import isthmus"), _compared("from isthmus import connect, F")]


def _compared(statement: str) -> Measurement:
    rounds = paired(_importing(statement), _importing(DEPENDENCIES), rounds=15)
    return compared(statement, rounds, 1.6, unit="ms", scale=1e3)


def _importing(statement: str) -> Block:
    command = [sys.executable, "-c", TIMER.format(statement=statement)]
    return lambda: float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
