"""All figures of a run, in ``build/bench-servers.json``; the documentation shows a copy of it."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.servers.rounds import Case, Found, Settings, ratios

ROOT = Path(__file__).parents[3]
FIGURES = ROOT / "build" / "bench-servers.json"
PUBLISHED = ROOT / "docs" / "_data" / "benchmarks.json"
PACKAGES = ("boto3", "pynamodb", "aiodynamo", "aiohttp", "pymongo", "mongoengine", "beanie")


def comparison(found: Found, reference: str, settings: Settings) -> dict[str, Any]:
    """Each series with its ratios to the reference peer, taken within rounds."""
    rows = []
    for case, series in found.items():
        base = found.get(Case(reference, case.operation, case.callers))
        against = {} if base is None else {
            "cpu_ratio": _spread(ratios(series.cpu, base.cpu)),
            "wall_ratio": _spread(ratios(series.wall, base.wall)),
        }  # fmt: skip
        rows.append({**_point(case, found), **against})
    return {"reference": reference, "rows": rows, **_extent(settings)}


def points(found: Found, settings: Settings) -> dict[str, Any]:
    """Each series of the scaling run."""
    return {"rows": [_point(case, found) for case in found], **_extent(settings)}


def _extent(settings: Settings) -> dict[str, Any]:
    return {"rounds": settings.rounds, "seconds": settings.seconds}


def _point(case: Case, found: Found) -> dict[str, Any]:
    series = found[case]
    return {
        "label": case.label,
        "operation": case.operation,
        "callers": case.callers,
        "cpu_us": _rounded(median(series.cpu) * 1e6),
        "wall_us": _rounded(median(series.wall) * 1e6),
        "rate": _rounded(1 / median(series.wall)),
    }


def _spread(found: list[float]) -> list[float]:
    """Lowest, median and highest."""
    return [_rounded(value) for value in (min(found), median(found), max(found))]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def save(section: str, content: dict[str, Any]) -> None:
    """Replace one section of the file and say on which machine."""
    stored = json.loads(FIGURES.read_text("utf-8")) if FIGURES.is_file() else {}
    stored[section] = {**content, "machine": _machine()}
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def publish() -> None:
    """Copy the figures into the documentation."""
    PUBLISHED.parent.mkdir(exist_ok=True)
    PUBLISHED.write_text(FIGURES.read_text("utf-8"), encoding="utf-8")


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }
