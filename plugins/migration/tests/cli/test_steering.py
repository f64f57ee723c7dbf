from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from isthmus.cli.exit_codes import ExitCode
from isthmus_migration.migration import Migration
from isthmus_migration.reports.status import Status
from plugins.migration.tests.cli import functions
from plugins.migration.tests.cli.helpers import PATIENCE, Ends, Run, ended, read_so_far, started, until

SLOW = ("--engine", "inline", "--items-per-second", "10")
"""All things take 100 seconds, so there is time to interfere, however slow the machine is."""
COUNT = 1_000


@pytest.fixture
def many(tmp_path: Path, command: Run) -> Ends:
    """A plan for a thousand things in two hundred units."""
    return _planned(tmp_path, command)


def _planned(folder: Path, command: Run, *options: str) -> Ends:
    ends = Ends(folder)
    ends.fill(COUNT)
    words = "migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--units", "200"
    assert command(*words, *options).code == 0
    return ends


def _status(ends: Ends) -> Status:
    return Migration.open(ends.workdir).status()


def _is_under_way(ends: Ends) -> bool:
    return 0 < read_so_far(_status(ends)) < COUNT


def test_the_first_interrupt_finishes_the_slices_at_work(many: Ends, command: Run) -> None:
    """It says so, the exit code is 9, the state is paused, and resuming copies the rest once."""
    with started("migrate", "run", many.workdir, *SLOW) as process:
        until(lambda: _is_under_way(many), what="something is copied")
        os.killpg(process.pid, signal.SIGINT)
        stopped = ended(process)
    assert (stopped.code, _status(many).state) == (ExitCode.PAUSED, "paused")
    assert "stopping:" in stopped.err
    assert "Ctrl-C again stops now" in stopped.err
    assert f"isthmus migrate resume {many.workdir}" in stopped.out
    assert read_so_far(_status(many)) == many.things()
    assert command("migrate", "resume", many.workdir, "--engine", "inline", "--items", "1e6").code == ExitCode.OK
    assert (many.things(), _status(many).tables[0].written) == (COUNT, COUNT)


@pytest.mark.parametrize("engine", ["processes", "threads"])
def test_the_second_interrupt_stops_at_once(tmp_path: Path, command: Run, engine: str) -> None:
    """Slices that would take longer are dropped, the exit code is 130, and resuming loses nothing."""
    (tmp_path / "mapping.toml").write_text(f'[tables.things]\nfunction = "{functions.__name__}:lasting"\n')
    many = _planned(tmp_path, command, "-c", str(tmp_path / "mapping.toml"))
    arguments = "migrate", "run", many.workdir, "--engine", engine, "--workers", "2"
    with started(*arguments, **{functions.MARKER: "1"}) as process:
        until(lambda: _status(many).holder is not None and _active(many) > 0, what="slices are at work")
        os.killpg(process.pid, signal.SIGINT)
        until(lambda: "stopping" in Path(many.workdir, "events.jsonl").read_text(), what="it was heard")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == ExitCode.INTERRUPTED
        stopped = ended(process)
    assert read_so_far(_status(many)) == 0
    assert "stopped at once" in stopped.err
    assert "Traceback" not in stopped.err
    assert command("migrate", "resume", many.workdir, "--engine", "inline").code == ExitCode.OK
    assert many.things() == COUNT


def _active(ends: Ends) -> int:
    return _status(ends).phases[0].active


def test_status_from_another_process(many: Ends, command: Run) -> None:
    """While a run is at work, status tells its process, host, rate and counts; afterwards that nobody works."""
    with started("migrate", "run", many.workdir, *SLOW) as process:
        until(lambda: _is_under_way(many), what="something is copied")
        shown = command("migrate", "status", many.workdir, "--json").result
        words = command("migrate", "status", many.workdir).out
        assert (shown["holder"]["pid"], shown["state"]) == (process.pid, "copying")
        assert 0 < shown["phases"][0]["percent"] < 100
        assert shown["rates"]["items"] == 10
        assert f"at work in process {process.pid} on " in words
        refused = command("migrate", "run", many.workdir, "--json")
        assert (refused.code, refused.error["code"]) == (ExitCode.NO, "work_directory_in_use")
        assert f"process {process.pid}" in refused.error["message"]
    assert command("migrate", "status", many.workdir, "--json").result["holder"] is None


def test_a_run_is_paused_resumed_sped_up_and_stopped(many: Ends, command: Run) -> None:
    """Commands from another shell take effect, in one run of one process."""
    with started("migrate", "run", many.workdir, *SLOW, "--json") as process:
        until(lambda: _is_under_way(many), what="something is copied")
        assert command("migrate", "pause", many.workdir).code == ExitCode.OK
        events = Path(many.workdir, "events.jsonl")
        until(lambda: '"waiting": "paused"' in events.read_text(), what="it is paused")
        held = read_so_far(_status(many))
        assert command("migrate", "rate", many.workdir, "--items", "15").code == ExitCode.OK
        assert "told to pause, at most 15 items/s" in command("migrate", "status", many.workdir).out
        going_on = command("migrate", "resume", many.workdir)
        assert (going_on.code, going_on.out) == (ExitCode.OK, f"the run goes on in {_status(many).holder}\n")
        until(lambda: read_so_far(_status(many)) > held, what="it goes on")
        assert command("migrate", "stop", many.workdir).code == ExitCode.OK
        assert process.wait(timeout=PATIENCE) == ExitCode.PAUSED
        told = [event["event"] for event in ended(process).events]
    assert [code for code in told if code in ("paused", "going_on", "stopping", "ended")] == [
        "paused", "going_on", "stopping", "ended",
    ]  # fmt: skip


def test_watching_ends_with_the_run(many: Ends, command: Run) -> None:
    """A watcher prints a line each time, and ends when nobody works any more."""
    with started("migrate", "run", many.workdir, *SLOW) as process:
        until(lambda: _is_under_way(many), what="something is copied")
        with started("migrate", "status", many.workdir, "--watch", "--every", "0.2", "--json") as watcher:
            assert watcher.stdout is not None
            states = [json.loads(watcher.stdout.readline())["state"] for _line in range(3)]
            assert command("migrate", "rate", many.workdir, "--items", "1e6").code == ExitCode.OK
            assert ended(process).code == ExitCode.OK
            last = json.loads(watcher.stdout.read().splitlines()[-1])
            assert watcher.wait(timeout=PATIENCE) == ExitCode.OK
    assert states == ["copying"] * 3
    assert (last["state"], last["holder"]) == ("copied", None)


@pytest.mark.parametrize("what", ["pause", "stop"])
def test_nobody_can_be_told_anything(planned: Ends, command: Run, what: str) -> None:
    """Without a run there is nothing to pause or stop, and nothing is left for a later run."""
    refused = command("migrate", what, planned.workdir, "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.NO, "wrong_state")
    assert command("migrate", "run", planned.workdir, "--engine", "inline").code == ExitCode.OK


def test_a_rate_is_said_or_lifted(planned: Ends, command: Run) -> None:
    """A rate holds for later runs until it is lifted; saying neither or both is wrong use."""
    assert (
        command("migrate", "rate", planned.workdir, "--write-units", "50", "--json").result["rates"]["write_units"]
        == 50
    )
    assert command("migrate", "rate", planned.workdir, "--unlimited").code == ExitCode.OK
    assert command("migrate", "status", planned.workdir, "--json").result["rates"]["write_units"] is None
    assert command("migrate", "rate", planned.workdir).code == ExitCode.USAGE
    assert command("migrate", "rate", planned.workdir, "--items", "5", "--unlimited").code == ExitCode.USAGE
