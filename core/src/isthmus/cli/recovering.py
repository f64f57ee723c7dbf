"""``isthmus recover``: ends the transactions of clients that died."""

from __future__ import annotations

import json

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option


@click.command()
@operands()
@json_option
def recover(url: str | None, as_json: bool) -> int:
    """Finish or undo the transactions of clients that died, where Isthmus runs transactions itself.

    Nothing depends on it: whoever meets what a dead client left deals with it. Run it before a raw backup, or before a
    standalone MongoDB becomes a replica set. The exit code is 4 if something could not be dealt with.
    """
    with opened(url) as database:
        done = database.recover()
    if as_json:
        print(json.dumps(done.to_dict()))
    else:
        print(", ".join(f"{number} {name}" for name, number in done.to_dict().items()))
    return ExitCode.BACKEND if done.failed else ExitCode.OK
