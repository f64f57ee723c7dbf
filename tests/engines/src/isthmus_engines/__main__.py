"""``python -m isthmus_engines``: fill the cache, or run a command beside running engines."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from isthmus_engines import programs
from isthmus_engines.errors import EngineError
from isthmus_engines.kinds import KINDS, VARIABLES, Kind
from isthmus_engines.shared import Engines


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code: the command's own, or 2 without an engine."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options, command = _split(given)
    parser = _parser()
    parsed = parser.parse_args(options)
    if (parsed.action == "run") != bool(command):
        parser.error("a command stands after -- for run, and for nothing else")
    try:
        if parsed.action == "fetch":
            return fetch()
        return run(parsed.kinds, command)
    except EngineError as error:
        print(f"isthmus_engines: {error}", file=sys.stderr)
        return 2


def fetch() -> int:
    """Find every program, fetching those that are missing, and print where each is.

    :raises EngineMissing: one can't be fetched
    """
    for name, found in [("mongod", programs.mongod()), ("DynamoDB Local", programs.dynamodb_local())]:
        print(f"{name}: {found}")
    print(f"java: {programs.java()[0]}")
    return 0


def run(kinds: Sequence[Kind], command: Sequence[str]) -> int:
    """Run a command while engines run, with their addresses in its environment; return its exit code.

    :raises EngineError: an engine is missing, does not start, or the command can't be run
    """
    engines = Engines.own()
    try:
        addresses = {VARIABLES[kind]: engines.running(kind).address for kind in kinds}
        return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode
    except OSError as error:
        raise EngineError(f"{command[0]} can't be run: {error.strerror}") from None
    finally:
        engines.close()


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What stands before and after the first ``--``."""
    if "--" not in arguments:
        return arguments, ()
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m isthmus_engines", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("fetch", help="fetch the programs that this machine lacks")
    running = actions.add_parser("run", help="run a command beside engines: run mongodb dynamodb -- COMMAND")
    running.add_argument("kinds", nargs="+", choices=KINDS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
