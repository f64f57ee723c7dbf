"""``resume --accept-new-plan``: what people and programs see of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isthmus.cli.exit_codes import ExitCode
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from plugins.migration.tests.cli.helpers import Ends, Run
from plugins.migration.tests.cli.test_documented import _rows

INLINE = ("--engine", "inline")


def _half_copied(ends: Ends) -> None:
    def stop(code: str, _data: dict[str, Any]) -> None:
        if code == "slice":
            ControlFile(Path(ends.workdir)).say("stop", None)

    options = RunOptions(slice_items=5, listener=stop)
    assert not Migration.open(ends.workdir).run(engine="inline", options=options).finished


def _mapping(ends: Ends, text: str) -> str:
    path = ends.folder / "mapping.toml"
    path.write_text(text)
    return str(path)


def test_a_new_plan_is_shown_and_the_run_goes_on_with_it(planned: Ends, command: Run) -> None:
    """Status and verification tell what was copied before; the verification says how it is mended."""
    _half_copied(planned)
    mapping = _mapping(planned, '[tables.things.compute]\nkind = { value = "new" }\n')
    resumed = command("migrate", "resume", planned.workdir, "--accept-new-plan", "-c", mapping, *INLINE)
    assert resumed.code == ExitCode.OK
    assert 'tables[0].transform: null became {"compute"' in resumed.out
    assert "copied before: things: 5 items of 1 units (things-0000" in resumed.out
    assert "was accepted instead of" in command("migrate", "status", planned.workdir).out
    verified = command("migrate", "verify", planned.workdir, *INLINE)
    assert verified.code == ExitCode.NO
    assert "1 units were copied under a former plan" in verified.out
    assert command("migrate", "repair", planned.workdir, *INLINE).code == ExitCode.OK


def test_programs_get_what_the_reference_says(planned: Ends, command: Run) -> None:
    """An event before those of the run, and a list in status and report."""
    _half_copied(planned)
    mapping = _mapping(planned, '[tables.things]\ndrop = ["size"]\n')
    resumed = command("migrate", "resume", planned.workdir, "--accept-new-plan", "-c", mapping, *INLINE, "--json")
    assert resumed.code == ExitCode.OK
    event = resumed.events[0]
    assert event.keys() - {"time", "event"} <= _rows("Events")["plan_accepted"]
    known = _rows("Output for programs")
    assert event["accepted"].keys() <= known["accepted"]
    (accepted,) = command("migrate", "status", planned.workdir, "--json").result["accepted"]
    assert (
        accepted
        == event["accepted"]
        == json.loads(command("migrate", "report", planned.workdir, "--json").out)["accepted"][0]
    )
    assert accepted["tables"][0].keys() <= known["tables"]


def test_a_plan_that_is_as_it_was_goes_on_and_a_complete_copy_is_verified(planned: Ends, command: Run) -> None:
    """A mapping file alone is refused: it would be of another plan."""
    mapping = _mapping(planned, '[tables.things]\ndrop = ["size"]\n')
    refused = command("migrate", "resume", planned.workdir, "-c", mapping, *INLINE)
    assert (refused.code, "--accept-new-plan" in refused.err) == (ExitCode.USAGE, True)
    resumed = command("migrate", "resume", planned.workdir, "--accept-new-plan", *INLINE)
    assert resumed.out.startswith("the plan is as it was\n")
    done = command("migrate", "resume", planned.workdir, "--accept-new-plan", "-c", mapping, *INLINE)
    assert done.code == ExitCode.OK
    assert f"verify it with `isthmus migrate verify {planned.workdir}`" in done.out


def test_a_refusal_names_its_reason_and_what_to_do(planned: Ends, command: Run) -> None:
    """The former plan stays."""
    _half_copied(planned)
    mapping = _mapping(planned, '[tables.things]\ninto = "others"\n')
    refused = command("migrate", "resume", planned.workdir, "--accept-new-plan", "-c", mapping, *INLINE)
    assert refused.code == ExitCode.NO
    assert "plan anew in another directory" in refused.err
    assert command("migrate", "resume", planned.workdir, *INLINE).code == ExitCode.OK
