"""``isthmus migrate status``: where a migration stands, from any shell."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import console, grid, json_option
from isthmus_migration.cli.base import command, opened_migration, workdir_argument
from isthmus_migration.cli.lines import accepted_lines, progress_line
from isthmus_migration.migration import Migration
from isthmus_migration.reports.status import Status, TableCounts


@command("status")
@workdir_argument
@click.option("--watch", is_flag=True, help="Show it anew until nobody works on it any more, or until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often, with --watch.",
)
@json_option
def status(workdir: Path, watch: bool, every: float, as_json: bool) -> int:
    """Show where the migration in WORKDIR stands; a run in another process is not disturbed.

    With --json it is one line of JSON, and with --watch a line each time.
    """
    migration = opened_migration(workdir)
    if as_json:
        _print_lines(migration, every, watch=watch)
    elif watch:
        _watch(migration, every)
    else:
        screen = console()
        screen.print(_shown(migration.status(), screen.width))
    return ExitCode.OK


def _print_lines(migration: Migration, every: float, *, watch: bool) -> None:
    while True:
        now = migration.status()
        print(json.dumps(now.to_dict(), ensure_ascii=False), flush=True)
        if not watch or now.holder is None:
            return
        time.sleep(every)


def _watch(migration: Migration, every: float) -> None:
    now, screen = migration.status(), console()
    if not screen.is_terminal:
        _watch_line_by_line(migration, screen, now, every)
        return
    with Live(_shown(now, screen.width), console=screen, auto_refresh=False) as live:
        while now.holder is not None:
            time.sleep(every)
            now = migration.status()
            live.update(_shown(now, screen.width), refresh=True)


def _watch_line_by_line(migration: Migration, screen: Console, now: Status, every: float) -> None:
    """Print each status after the other, where what was shown can't be taken back."""
    screen.print(_shown(now, screen.width))
    while now.holder is not None:
        time.sleep(every)
        now = migration.status()
        screen.print(_shown(now, screen.width))


def _shown(now: Status, width: int) -> Group:
    """A status for people: plain text throughout, as names may hold what rich takes for markup."""
    lines = [Text(f"{now.source} -> {now.target}"), Text(_standing(now))]
    lines += [Text(line) for line in accepted_lines(now.accepted)]
    lines += [Text(progress_line(figures)) for figures in now.phases]
    lines += [Text(line) for line in _found(now)]
    columns = ["table", "into", "read", "of about", "written", "unchanged", "skipped", "dead"]
    return Group(*lines, grid("", columns, map(_row, now.tables), width))


def _standing(now: Status) -> str:
    at_work = f"at work in {now.holder}" if now.holder else "nobody works on it"
    told = f", told to {now.command}" if now.holder and now.command != "run" else ""
    limits = [] if now.rates is None else [
        f"{value:,.0f} {what}/s"
        for value, what in (
            (now.rates.items, "items"), (now.rates.size, "bytes"), (now.rates.read_units, "read units"),
            (now.rates.write_units, "write units"),
        )
        if value is not None
    ]  # fmt: skip
    return f"state {now.state}, {at_work}{told}" + (f", at most {', '.join(limits)}" if limits else "")


def _found(now: Status) -> list[str]:
    found = (
        ("dead letters", now.found.dead),
        ("differences", now.found.mismatches),
        ("conflicts", now.found.conflicts),
    )
    return [f"{count:,} open {what}" for what, count in found if count]


def _row(one: TableCounts) -> tuple[object, ...]:
    about = "unknown" if one.items is None else f"{one.items:,}"
    return one.table, one.target, f"{one.read:,}", about, one.written, one.unchanged, one.skipped, one.dead
