"""The page of benchmarks is made from the published figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from docs._generate.benchmarks import comparison, scaling

RUN = {"machine": {"python": "3.11.0", "cpus": 2, "packages": {"boto3": "1.0"}}, "rounds": 5, "seconds": 0.25}


def entry(label: str, callers: int, cpu: float, operation: str = "get") -> dict[str, Any]:
    """One series as the benchmark saves it."""
    found = {"label": label, "operation": operation, "callers": callers, "cpu_us": cpu, "wall_us": cpu * 2}
    return {**found, "rate": 1e6 / cpu / 2, "cpu_ratio": [0.1, 0.2, 0.3], "wall_ratio": [0.4, 0.5, 0.6]}


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """A small file of figures."""
    peers = [entry(label, callers, cpu) for label, cpu in (("Isthmus", 200.0), ("Raw", 1000.0)) for callers in (1, 16)]
    points = [entry(f"memory {mode}", callers, 10.0) for mode in ("sync", "async") for callers in (1, 4)]
    stored = {
        "Store": {"reference": "Raw", "rows": peers, **RUN},
        "scaling": {"rows": points, **RUN},
    }
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(stored), "utf-8")
    return path


def plots(text: str) -> list[ET.Element]:
    """The plots of a page; they must be well-formed."""
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text)]


def test_the_reference_comes_first_in_microseconds(figures: Path) -> None:
    """Its row has times, the others have multiples of them."""
    lines = comparison("Store", figures).splitlines()
    assert "| Raw | 1,000 µs (2,000 µs) |" in lines
    assert "| Isthmus | **0.20** [0.10 to 0.30] (0.50) |" in lines


def test_the_page_says_how_the_figures_came_about(figures: Path) -> None:
    """Machine, versions and the size of the run stand above the table."""
    expected = "CPython 3.11.0, 2 cores; boto3 1.0; 5 rounds, blocks of 0.25 s."
    assert expected in comparison("Store", figures).splitlines()


def test_many_callers_have_rates(figures: Path) -> None:
    """The second table has operations a second and processor time."""
    assert "| Isthmus | 2,500/s (200 µs) |" in comparison("Store", figures).splitlines()


def test_bars_are_as_long_as_their_values(figures: Path) -> None:
    """A fifth of the time is a fifth of the length."""
    (plot,) = plots(comparison("Store", figures))
    ours, raw = (float(bar.attrib["width"]) for bar in plot.iter("rect"))
    assert raw / ours == pytest.approx(5, rel=0.01)


def test_scaling_has_a_plot_of_rate_and_one_of_time_for_each_backend(figures: Path) -> None:
    """Both ways to call are lines of one plot."""
    rate, time = plots(scaling(figures))
    assert rate.attrib["aria-label"] == "memory, operations a second"
    assert time.attrib["aria-label"] == "memory, µs of processor for each"
    assert [len(list(plot.iter("circle"))) for plot in (rate, time)] == [4, 4]


def test_html_blocks_have_no_empty_line(figures: Path) -> None:
    """An empty line would end the block in Markdown."""
    (block,) = re.findall(r"<figure>.*?</figure>", scaling(figures), re.DOTALL)
    assert "\n\n" not in block


def test_without_figures_the_page_says_how_to_get_them(tmp_path: Path) -> None:
    """A build of a fresh checkout does not fail."""
    missing = tmp_path / "none.json"
    assert "make bench" in comparison("Store", missing)
    assert "make bench" in scaling(missing)
