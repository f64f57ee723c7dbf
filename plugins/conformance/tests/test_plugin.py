import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SUITE = """
import pytest
from isthmus import Capability, Unsupported
from isthmus.memory import MemoryBackend
from isthmus_conformance import Suite, rule
from isthmus_conformance.base import requires
from isthmus_conformance.properties import given
from isthmus_conformance.suites.life_cycle import Closing
from hypothesis import strategies as st

class Limited(MemoryBackend):
    name = "limited"
    capabilities = MemoryBackend.capabilities.replace({Capability.TTL: Unsupported("this store has no clock")})

class TestLimited(Closing):
    excused = {"test_a_closed_database_refuses_table_management": "never closed here"}

    @pytest.fixture
    def source(self):
        return Limited()

    @rule("TTL-1")
    @requires(Capability.TTL)
    def test_expiry(self, table):
        raise AssertionError("must not run")

    @rule("KEY-1", "KEY-2")
    @given(number=st.integers())
    def test_numbers(self, table, number):
        table.put({"id": "a", "n": number % 100})

    @rule("KEY-2")
    def test_broken(self, table, mode):
        expected, actual = {"id": "a"}, {"id": "b"}
        assert mode == "sync" or expected == actual
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """The output and the report of a run of a small suite, with one of each outcome."""
    folder = tmp_path_factory.mktemp("author")
    (folder / "test_limited.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--isthmus-profile", "dev"]
    command += ["--isthmus-report", "out/report.json", "test_limited.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3000, check=False)
    return done.stdout + done.stderr, json.loads((folder / "out/report.json").read_text()), folder / "out/report.json"


def _line(report: dict[str, Any], rule: str, mode: str) -> dict[str, Any]:
    lines = [line for line in report["lines"] if (line["rule"], line["mode"]) == (rule, mode)]
    assert len(lines) == 1, report["lines"]
    found: dict[str, Any] = lines[0]
    return found


def test_a_passed_rule_counts_its_tests_and_examples(run: tuple[str, dict[str, Any], Path]) -> None:
    """For each mode apart, with the backend's name."""
    for mode in ("sync", "async"):
        line = _line(run[1], "KEY-1", mode)
        assert (line["status"], line["tests"], line["backend"]) == ("passed", 1, "limited")
        assert line["examples"] >= 30


def test_one_failure_breaks_a_rule(run: tuple[str, dict[str, Any], Path]) -> None:
    """In the mode where it happened."""
    assert _line(run[1], "KEY-2", "async")["status"] == "failed"
    assert _line(run[1], "KEY-2", "sync")["status"] == "passed"
    assert "'id': 'b'" in run[0]


def test_an_unsupported_capability_skips_with_the_declared_reason(run: tuple[str, dict[str, Any], Path]) -> None:
    """In the report and on the screen."""
    line = _line(run[1], "TTL-1", "sync")
    assert (line["status"], line["reasons"]) == ("unsupported", ["ttl: this store has no clock"])
    assert "ttl: this store has no clock" in run[0]


def test_a_rule_that_nothing_tried_is_listed(run: tuple[str, dict[str, Any], Path]) -> None:
    """On the backend and in each mode that ran other tests."""
    for mode in ("sync", "async"):
        line = _line(run[1], "UPD-5", mode)
        assert (line["status"], line["tests"], line["backend"]) == ("not run", 0, "limited")


def test_what_is_probed_is_listed_by_its_level(tmp_path: Path) -> None:
    """A capability that works as declared, and one that is refused as declared."""
    (tmp_path / "test_limited.py").write_text(
        SUITE.replace("Closing", "CapabilitiesSuite")
        .replace("life_cycle", "capabilities")
        .replace("excused", "_unused")
    )
    done = _pytest(tmp_path, "-k", "declared", "--isthmus-report", "report.json", "test_limited.py")
    assert done.returncode == 0, done.stdout
    probes = json.loads((tmp_path / "report.json").read_text())["probes"]["limited"]
    assert (probes["ttl"], probes["scan"]) == ({"unsupported: this store has no clock": "passed"}, {"full": "passed"})


def test_a_suite_runs_its_share_of_the_examples(tmp_path: Path) -> None:
    """A fifth of those of the profile."""
    (tmp_path / "test_limited.py").write_text(SUITE.replace("Limited(Closing):", "Limited(Closing):\n    share = 0.2"))
    done = _pytest(
        tmp_path, "-k", "numbers", "--isthmus-profile", "dev", "--isthmus-report", "report.json", "test_limited.py"
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert 6 <= _line(report, "KEY-1", "sync")["examples"] < 12


def test_what_is_excused_is_printed_with_its_reason(run: tuple[str, dict[str, Any], Path]) -> None:
    """And never counts as passed."""
    assert "conformance tests that were excused" in run[0]
    excused = [
        line for line in run[1]["lines"] if line["status"] == "excused" or "never closed here" in line["reasons"]
    ]
    assert {line["rule"] for line in excused} == {"TAB-7"}


CASES = """
import pytest
from isthmus_conformance.suites.values import RoundTrips
class TestMine(RoundTrips):
    excused = {EXCUSED}
    @pytest.fixture
    def source(self): return "memory://"
"""


@pytest.mark.parametrize(
    ("case", "left_out"), [("", 14), ("[None]", 2), ("[async-None]", 1)], ids=["test", "case", "case in a mode"]
)
def test_a_single_case_may_be_excused(tmp_path: Path, case: str, left_out: int) -> None:
    """In both modes, or in one; all other cases run."""
    excused = {f"test_empty_values_come_back_as_written{case}": "nothing is empty here"}
    (tmp_path / "test_mine.py").write_text(CASES.replace("{EXCUSED}", repr(excused)))
    done = _pytest(tmp_path, "-k", "empty_values", "test_mine.py")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": nothing is empty here") == left_out, done.stdout


@pytest.mark.parametrize("chosen", ["test_mine.py", "test_mine.py::TestMine::test_a_number_is_found_by_its_value"])
def test_an_excused_case_has_to_be_there(tmp_path: Path, chosen: str) -> None:
    """Whatever part of the suite is run."""
    excused = {"test_empty_values_come_back_as_written[sync-gone]": "nothing is empty here"}
    (tmp_path / "test_mine.py").write_text(CASES.replace("{EXCUSED}", repr(excused)))
    done = _pytest(tmp_path, chosen)
    assert done.returncode != 0
    assert "TestMine excuses test_empty_values_come_back_as_written[sync-gone]" in done.stdout


@pytest.mark.parametrize("options", [[], ["--markdown"], ["--capabilities"]], ids=["plain", "markdown", "capabilities"])
def test_the_report_is_rendered(run: tuple[str, dict[str, Any], Path], options: list[str]) -> None:
    """The exit code tells that a rule is broken."""
    done = _printed(run[2], *options)
    assert done.returncode == 1, done.stderr
    assert done.stdout.strip()
    assert ("| KEY-2 |" in done.stdout) == (options == ["--markdown"])


SILENCED = {
    "a mark on the class": "@pytest.mark.skip(reason='slow')\nclass TestMine(KeysSuite):\n",
    "a mark in the class": "class TestMine(KeysSuite):\n    pytestmark = pytest.mark.skip(reason='slow')\n",
    "a mark on the module": "pytestmark = [pytest.mark.skipif(True, reason='slow')]\nclass TestMine(KeysSuite):\n",
    "a fixture": "class TestMine(KeysSuite):\n    @pytest.fixture\n    def mode(self): pytest.skip('slow')\n",
}


@pytest.mark.parametrize("text", SILENCED.values(), ids=SILENCED)
def test_a_silenced_suite_is_no_success(tmp_path: Path, text: str) -> None:
    """The run fails, and says how to leave out a test instead."""
    source = "    @pytest.fixture\n    def source(self): return 'memory://'\n"
    head = "import pytest\nfrom isthmus_conformance.suites.keys import KeysSuite\n"
    (tmp_path / "test_mine.py").write_text(head + text + source)
    done = _pytest(tmp_path, "test_mine.py")
    assert done.returncode != 0
    assert "conformance kit" in done.stdout + done.stderr


def test_a_source_that_skips_everything_proves_nothing(tmp_path: Path) -> None:
    """The report's exit code says so, although no test failed."""
    text = "import pytest\nfrom isthmus_conformance.suites.keys import KeysSuite\nclass TestMine(KeysSuite):\n"
    (tmp_path / "test_mine.py").write_text(
        text + "    @pytest.fixture\n    def source(self): pytest.skip('no server')\n"
    )
    assert _pytest(tmp_path, "--isthmus-report", "report.json", "test_mine.py").returncode == 0
    done = _printed(tmp_path / "report.json")
    assert (done.returncode, "no server" in done.stdout) == (1, True)


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--complete"], 1)])
def test_a_part_of_the_kit_is_a_success_unless_all_was_asked_for(tmp_path: Path, options: list[str], code: int) -> None:
    """Rules that were not run are listed in either case."""
    (tmp_path / "test_mine.py").write_text(
        "import pytest\nfrom isthmus_conformance import BackendSuite\nclass TestMine(BackendSuite):\n"
        "    @pytest.fixture\n    def source(self): return 'memory://'\n"
    )
    assert _pytest(tmp_path, "-k", "empty_keys", "--isthmus-report", "report.json", "test_mine.py").returncode == 0
    done = _printed(tmp_path / "report.json", *options)
    assert (done.returncode, "not run" in done.stdout) == (code, True)


def test_names_of_tests_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Whatever the order of sets: pytest-xdist refuses workers that collect different tests."""
    (tmp_path / "test_mine.py").write_text(
        "from isthmus_conformance import LayerSuite\nclass TestMine(LayerSuite):\n    pass\n"
    )
    first, second = (
        _pytest(tmp_path, "--collect-only", "test_mine.py", PYTHONHASHSEED=seed).stdout.splitlines()[:-1]
        for seed in ("1", "2")
    )
    assert len(first) > 1_000
    assert first == second


def _pytest(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=3000, check=False
    )


def _printed(report: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isthmus_conformance.report", str(report), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_suite_without_a_source_says_what_is_missing(tmp_path: Path) -> None:
    """By name."""
    text = "from isthmus_conformance import BackendSuite\nclass TestMine(BackendSuite):\n    pass\n"
    (tmp_path / "test_mine.py").write_text(text)
    done = _pytest(tmp_path, "-x", "test_mine.py")
    assert done.returncode != 0
    assert "TestMine needs a fixture `source`" in done.stdout + done.stderr


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """With the names that there are."""
    done = _pytest(tmp_path, "--isthmus-profile", "deep")
    assert done.returncode != 0
    assert "nightly" in done.stderr
