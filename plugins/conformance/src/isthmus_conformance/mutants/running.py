"""Runs the kit on mutants, each in a process of its own, and judges whether it was caught."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Any

from attrs import asdict, frozen

from isthmus_conformance.mutants.judging import MUTANT, VERDICT
from isthmus_conformance.mutants.registry import Mutant

SECONDS = 300
"""A run that takes longer was not caught by any test."""

_PYTEST = (
    "-q", "-x", "--tb=short", "--import-mode=importlib", "--isthmus-profile=dev", "-c", "pytest.ini",
    "-p", "no:cacheprovider", "-p", "isthmus_conformance.mutants.judging",
    "--pyargs", "isthmus_conformance.mutants.proving",
)  # fmt: skip


@frozen
class Verdict:
    """How the kit did on one mutant.

    :param test: the first failing test; empty when the mutant survived
    :param named: whether that test names a rule that the mutant breaks
    :param problem: what went wrong where no verdict is possible
    """

    name: str
    breaks: tuple[str, ...]
    test: str
    rules: tuple[str, ...]
    seconds: float
    problem: str = ""

    @property
    def caught(self) -> bool:
        """Whether a test failed."""
        return bool(self.test)

    @property
    def named(self) -> bool:
        """Whether the failing test names a rule that the mutant breaks."""
        return bool(set(self.rules) & set(self.breaks))

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON-ready data."""
        return {**asdict(self), "caught": self.caught, "named": self.named}


def judge(mutant: Mutant) -> Verdict:
    """Run the kit on one mutant until a test fails."""
    started = perf_counter()
    with tempfile.TemporaryDirectory(prefix="isthmus-mutant-") as folder:
        verdict = Path(folder, "verdict.json")
        problem = _run(mutant, Path(folder), verdict)
        written = verdict.read_text(encoding="utf-8") if verdict.exists() else '{"test": "", "rules": []}'
        found: dict[str, Any] = json.loads(written)
    if found["test"]:
        problem = ""
    seconds = round(perf_counter() - started, 1)
    return Verdict(mutant.name, mutant.rules, found["test"], tuple(found["rules"]), seconds, problem)


def _run(mutant: Mutant, folder: Path, verdict: Path) -> str:
    """Start pytest in an empty folder, so that no settings of the caller's project apply; what went wrong."""
    Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {**os.environ, MUTANT: mutant.name, VERDICT: str(verdict)}
    command = [sys.executable, "-m", "pytest", *_PYTEST]
    try:
        ended = subprocess.run(  # noqa: S603  # our own interpreter
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no test failed within {SECONDS} s"
    return "" if ended.returncode in (0, 1) else (ended.stdout + ended.stderr)[-2_000:].strip() or "pytest did not run"


def judge_all(mutants: Iterable[Mutant], jobs: int, judged: Callable[[Mutant], Verdict] = judge) -> Iterator[Verdict]:
    """Verdicts as they come, ``jobs`` at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(judged, mutant) for mutant in mutants]):
            yield future.result()
