"""Functions are tried in a process of their own: an item that ends it, or hangs it, is found and named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isthmus_migration.plans import apart
from isthmus_migration.transforms import Transform
from plugins.migration.tests.plans import functions
from plugins.migration.tests.plans.helpers import filled, found, numbered, planned, points, sqlite

_DEADLY = {"things": Transform(function=f"{functions.__name__}:deadly")}
_HANGING = {"things": Transform(function=f"{functions.__name__}:hanging")}


def test_an_item_that_ends_its_process_is_found_and_the_others_are_tried(tmp_path: Path) -> None:
    """The planner lives, the finding has the key, and the next items go to a new process."""
    filled(sqlite(tmp_path, "source"), numbered(6))
    migration = planned(tmp_path, transforms=_DEADLY)
    assert points(migration) == [("error", "worker_died", "k00003", None)]
    assert "exit code 7" in found(migration)[0].reason
    after = {sample.before["n"]: sample.after for sample in migration.samples["things"]}
    assert {n: item and item["seen"] for n, item in after.items()} == {0: 1, 1: 1, 2: 1, 3: None, 4: 1, 5: 1}


def test_a_function_that_ends_too_many_processes_ends_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not started for each item of a thousand, nothing is guessed from what was not tried, and that is said."""
    monkeypatch.setattr(apart, "_MOST_DEATHS", 1)
    filled(sqlite(tmp_path, "source"), numbered(6)[3:])
    migration = planned(tmp_path, transforms=_DEADLY, units=1)
    assert points(migration) == [("error", "worker_died", "k00003", None), ("warning", "sample_ended", None, None)]
    assert migration.preflight is not None
    (table,) = migration.preflight.tables
    assert (table.sampled, table.whole, table.estimate.seconds) == (1, False, None)


def test_an_item_that_hangs_its_process_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is ended after a while."""
    monkeypatch.setattr(apart, "_ITEM_SECONDS", 0.01)
    filled(sqlite(tmp_path, "source"), numbered(1))
    migration = planned(tmp_path, transforms=_HANGING)
    assert points(migration) == [("error", "worker_died", "k00000", None)]
    assert "took longer" in found(migration)[0].reason


def test_plans_without_a_function_need_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as quick as ever."""

    def spawned(*_given: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(apart, "spawned", spawned)
    filled(sqlite(tmp_path, "source"), numbered(3))
    assert not found(planned(tmp_path, transforms={"things": Transform(rename={"n": "number"})}))


_SCRIPT = """
from isthmus_migration import Migration, Transform
Migration.plan({source!r}, {target!r}, workdir={work!r}, transforms={{"things": Transform(function="changing:same")}})
"""


def _planned_by(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Let a script without a guard plan, from its file or from the standard input."""
    filled(sqlite(folder, "source"), numbered(1))
    (folder / "changing.py").write_text("def same(item):\n    return item\n")
    names = {"source": sqlite(folder, "source"), "target": sqlite(folder, "target"), "work": str(folder / "work")}
    script = _SCRIPT.format(**names)
    (folder / "script.py").write_text(script)
    return subprocess.run(
        [sys.executable, *words], cwd=folder, input=script, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """Its new process would plan again instead of trying the transform; nothing is left behind."""
    ended = _planned_by(tmp_path, "script.py")
    assert ended.returncode == 1
    assert 'a script that plans with a function needs `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "work").exists()


def test_a_script_from_the_standard_input_needs_no_guard(tmp_path: Path) -> None:
    """Nobody can run it again."""
    assert _planned_by(tmp_path, "-").stderr == ""
    assert (tmp_path / "work" / "plan.json").exists()
