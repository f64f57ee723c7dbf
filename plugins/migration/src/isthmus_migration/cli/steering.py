"""``isthmus migrate pause``, ``rate`` and ``stop``: commands to a run in another process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import json_option
from isthmus.errors import InvalidArgument
from isthmus_migration.cli.base import command, opened_migration, workdir_argument
from isthmus_migration.cli.running import rate_options, rates_of
from isthmus_migration.coordination.control import Command, ControlFile, Rates
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.lock import holder_of


@command("pause")
@workdir_argument
@json_option
def pause(workdir: Path, as_json: bool) -> int:
    """Let the run finish its slices and wait; `resume` lets it go on."""
    return _told(workdir, "pause", "the run pauses after the slices at work", as_json=as_json)


@command("stop")
@workdir_argument
@json_option
def stop(workdir: Path, as_json: bool) -> int:
    """Let the run finish its slices and end; `resume` begins where it stopped."""
    return _told(workdir, "stop", "the run ends after the slices at work", as_json=as_json)


def _told(workdir: Path, what: Command, text: str, *, as_json: bool) -> int:
    opened_migration(workdir)
    if holder_of(workdir) is None:
        raise WrongState(f"no process works in {workdir}: there is nothing to {what}")
    ControlFile(workdir).say(what)
    print(json.dumps({"command": what}) if as_json else text)
    return ExitCode.OK


@command("rate")
@workdir_argument
@rate_options
@click.option("--unlimited", is_flag=True, help="As fast as it goes, and as throttling allows.")
@json_option
def rate(workdir: Path, unlimited: bool, as_json: bool, **given: Any) -> int:
    """Change how fast the run may be, now and in later runs; a rate that is not given is not limited."""
    rates = rates_of(given)
    if unlimited == (rates != Rates()):
        raise InvalidArgument("say how fast, with --items-per-second and the like, or --unlimited")
    opened_migration(workdir)
    shown = ControlFile(workdir).say(rates=rates).to_dict()["rates"]
    told = "nothing is limited" if unlimited else "the rate holds"
    print(json.dumps({"rates": shown}) if as_json else f"{told} from the next slices on")
    return ExitCode.OK


for one in (pause, stop, rate):
    one.epilog = "The run hears it within seconds, through control.json in WORKDIR."
