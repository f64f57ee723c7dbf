"""``isthmus migrate run`` and ``resume``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import json_option, print_grid, warn
from isthmus.errors import InvalidArgument
from isthmus_migration.cli.base import (
    EXIT_CODES,
    Decorated,
    command,
    opened_migration,
    place_options,
    shell_command,
    workdir_argument,
)
from isthmus_migration.cli.lines import accepted_lines
from isthmus_migration.cli.watching import print_event, shown_run
from isthmus_migration.coordination.control import ControlFile, Rates
from isthmus_migration.coordination.options import DeadLimit, Listener, RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.journal.lock import holder_of
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.reports.status import TableCounts

_Result = TypeVar("_Result")


@frozen
class RunSettings:
    """How a command goes about its work.

    :param rates: how fast the whole run may be
    """

    engine: str
    workers: int | None
    rates: Rates
    max_dead: DeadLimit
    as_json: bool

    def options(self, listener: Listener) -> RunOptions:
        """The options of a run."""
        return RunOptions(rates=self.rates, max_dead=self.max_dead, listener=listener)


def rate_options(function: Decorated) -> Decorated:
    """Four rates for the whole run."""
    for names, text in (
        (["--write-units"], "DynamoDB write units a second."),
        (["--read-units"], "DynamoDB read units a second."),
        (["--bytes-per-second", "--bytes"], "Bytes of items a second."),
        (["--items-per-second", "--items"], "Items a second, all workers together."),
    ):
        function = click.option(*names, type=float, metavar="N", help=text)(function)
    return function


def rates_of(given: dict[str, Any]) -> Rates:
    """The rates that the options of ``rate_options`` said, taken out of them.

    :raises InvalidArgument: one is not positive
    """
    names = ("items_per_second", "bytes_per_second", "read_units", "write_units")
    found = [given.pop(name) for name in names]
    for name, rate in zip(names, found, strict=True):
        if rate is not None and not 0 < rate < float("inf"):
            raise InvalidArgument(f"--{name.replace('_', '-')} is {rate:g}: give a positive number")
    return Rates(*found)


def run_options(function: Decorated) -> Decorated:
    """The options of commands that do slices; the function gets them as ``settings``."""

    @functools.wraps(function)
    def wrapper(engine: str, workers: int | None, as_json: bool, max_dead: str | None = None, **given: Any) -> Any:
        limit = DeadLimit() if max_dead is None else DeadLimit.parse(max_dead)
        return function(settings=RunSettings(engine, workers, rates_of(given), limit, as_json), **given)

    return _ENGINE(_WORKERS(rate_options(json_option(wrapper))))


_ENGINE = click.option(
    "--engine",
    default="processes",
    show_default=True,
    metavar="NAME",
    help="What does the work: inline, threads, processes, dask, or dask://HOST:PORT.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Slices that are done at the same time; by default the machine's processors and one more.",
)
max_dead_option = click.option(
    "--max-dead",
    metavar="N|P%",
    help="Stop when more items than that become dead letters; by default none are too many.",
)


@command("run")
@workdir_argument
@run_options
@max_dead_option
@place_options
def run(workdir: Path, settings: RunSettings, source: str | None, target: str | None) -> int:
    """Copy what was planned in WORKDIR, or go on with it after any interruption.

    Ctrl-C finishes the slices at work and stops; a second Ctrl-C stops at once. Neither loses anything. From another
    shell, `status`, `pause`, `rate` and `stop` work meanwhile.
    """
    return carried_out(opened_migration(workdir, source, target), settings)


@command("resume")
@workdir_argument
@run_options
@max_dead_option
@click.option(
    "--accept-new-plan",
    "accept",
    is_flag=True,
    help="Go on with other code of transforms, or with those of another mapping file; the difference is shown.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With it: a mapping file, in place of all transforms of the plan.",
)
@place_options
def resume(
    workdir: Path, settings: RunSettings, source: str | None, target: str | None, accept: bool, config: Path | None
) -> int:  # fmt: skip
    """Go on with a run that was paused, stopped or killed.

    A run that waits in another process because of `pause` goes on there, and this command ends at once. Of its options
    only rates count then; to change others, `stop` it first.
    """
    if config is not None and not accept:
        raise InvalidArgument("a mapping file is for another plan: say --accept-new-plan too, or leave it out")
    migration = opened_migration(workdir, source, target)
    if accept and _accepted(migration, config, as_json=settings.as_json) == State.COPIED:
        check = shell_command("migrate", "verify", workdir, plan=migration.the_plan)
        if not settings.as_json:
            print(f"everything is copied; verify it with {check}")
        return ExitCode.OK
    holder = holder_of(workdir)
    if holder is None or ControlFile(workdir).read().command != "pause":
        return carried_out(migration, settings)
    ControlFile(workdir).say("run", None if settings.rates == Rates() else settings.rates)
    if settings.as_json:
        print_event("going_on", {"pid": holder.pid, "host": holder.host})
    else:
        print(f"the run goes on in {holder}")
    return ExitCode.OK


def _accepted(migration: Migration, config: Path | None, *, as_json: bool) -> State:
    """Accept a new plan, if there is one, and show what differs; where the migration stands then."""
    accepted = migration.accept_new_plan(mapping=config)
    if as_json:
        print_event("plan_accepted", {"accepted": None if accepted is None else accepted.to_dict()})
    elif accepted is None:
        print("the plan is as it was")
    else:
        for difference in accepted.differences:
            print(difference)
        for line in accepted_lines([accepted]):
            print(line)
    return migration.status().state


run.epilog = resume.epilog = EXIT_CODES


def carried_out(migration: Migration, settings: RunSettings, check: str | None = None) -> int:
    """Copy, and show how it went; the exit code.

    :param check: the command by which the copy can be verified, where it is not that of the migration; empty where
        nothing can read it
    """
    outcome = watched(
        settings,
        migration.work.path,
        lambda options: migration.run(engine=settings.engine, workers=settings.workers, options=options),
    )
    status = migration.status()
    code = copy_exit_code(outcome, status.found.dead)
    if settings.as_json:
        print_event("result", {"ending": outcome.ending, "exit_code": int(code), **status.to_dict()})
        return code
    print_counts(status.tables)
    if check is None:
        check = shell_command("migrate", "verify", migration.work.path, plan=migration.the_plan)
    _print_next(outcome, status.found.dead, migration, check)
    return code


def watched(settings: RunSettings, workdir: Path | None, work: Callable[[RunOptions], _Result]) -> _Result:
    """Do some work with a live line or JSON events.

    :param workdir: where it can go on after an interruption, if it can
    """
    try:
        with shown_run(as_json=settings.as_json) as listener:
            return work(settings.options(listener))
    except KeyboardInterrupt:
        if not settings.as_json and workdir is not None:
            warn(f"stopped at once, and nothing is lost: {workdir} has all that is needed to go on")
        raise


def copy_exit_code(outcome: PhaseOutcome, dead: int) -> ExitCode:
    """The exit code of a copy."""
    if not outcome.finished:
        return ExitCode.PAUSED
    return ExitCode.DEAD_LETTERS if dead else ExitCode.OK


def print_counts(tables: tuple[TableCounts, ...]) -> None:
    """What became of each table's items."""
    columns = ["table", "into", "read", "written", "unchanged", "skipped", "dead", "throttled"]
    rows = [
        (one.table, one.target, one.read, one.written, one.unchanged, one.skipped, one.dead, one.throttled)
        for one in tables
    ]
    print_grid("", columns, rows)


def _print_next(outcome: PhaseOutcome, dead: int, migration: Migration, check: str) -> None:
    workdir = migration.work.path
    if outcome.finished:
        print("everything is copied" + (f"; verify it with {check}" if check else ""))
    else:
        again = shell_command("migrate", "resume", workdir, plan=migration.the_plan)
        print(f"not finished: {outcome.reason}; go on with {again}")
    if dead:
        print(f"{dead} items became dead letters: see {shell_command('migrate', 'dead', 'list', workdir)}")
