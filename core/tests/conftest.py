"""Small installed distributions, made for one test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from isthmus.plugins import installed

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A function that installs a distribution with one module and its entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def add(name: str, source: str, group: str = "isthmus.plugins", version: str = "1.2", scheme: str = "") -> None:
        module = f"{name}_made_for_a_test"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = tmp_path / f"isthmus_{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: isthmus-{name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{scheme or name} = {module}:Made\n")
        installed.cache_clear()

    yield add
    installed.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)
