"""A process that forks clients, each of which stops itself at one step of a transfer.

It reads one job for each line: ``{"table", "signal", "visits", "transfers": [[name, size, way, token, point], …]}``.
For a signal that stops, it answers as soon as all clients stand still, and lets them go on when a further line comes.
It answers with the outcome or the signal of each. Forked from here, where nothing was opened, clients start quickly.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import isthmus.bound_table
import isthmus.fallback.backend  # noqa: F401  # imported here once, and not by each client
import isthmus_mongodb.backend  # noqa: F401  # as above
from tests.faults.transfers import Steps, Transfer, watched

_OUTCOMES = ("applied", "refused", "unknown")
_FAILED = 99
_AT_ONCE = 6


def main(url: str) -> None:
    """Carry out the jobs of the input."""
    for line in sys.stdin:
        job = json.loads(line)
        if job["signal"] == "none":
            say([steps_of(url, job["table"], job["visits"], *one) for one in job["transfers"]])
            continue
        number = getattr(signal, job["signal"])
        clients: list[int] = []
        for place, one in enumerate(job["transfers"]):
            clients.append(started(url, job["table"], job["visits"], number, *one))
            if place >= _AT_ONCE:
                wait_for(clients[place - _AT_ONCE])
        for client in clients[-_AT_ONCE:]:
            wait_for(client)
        if number == signal.SIGSTOP:
            say("stopped")
            sys.stdin.readline()
            for client in clients:
                os.kill(client, signal.SIGCONT)
        say([ended(client) for client in clients])


def say(answer: Any) -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def steps_of(
    url: str, table: str, visits: bool, name: str, size: int, way: Any, token: str | None, _point: object
) -> list[str]:
    """The steps of a client that nothing stops, seen in a process of its own."""
    reader, writer = os.pipe()
    client = os.fork()
    if not client:
        steps = Steps()
        watched(url, table, Transfer(name, size, way, token), steps, visits=visits)
        os.write(writer, json.dumps(steps.seen).encode())
        os._exit(0)
    os.close(writer)
    found: list[str] = json.loads(_all_of(reader))
    os.waitpid(client, 0)
    return found


def _all_of(reader: int) -> bytes:
    """What comes out of a pipe until its other end is closed."""
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read()


def started(
    url: str, table: str, visits: bool, number: int, name: str, size: int, way: Any, token: str | None, point: str
) -> int:
    """The process of a client that stops at a step."""
    client = os.fork()
    if client:
        return client
    status = _FAILED
    try:
        outcome = watched(url, table, Transfer(name, size, way, token), Steps(point, number), visits=visits)
        status = _OUTCOMES.index(outcome)
    finally:
        os._exit(status)


def wait_for(client: int) -> None:
    """Wait until a client stands still or is gone, and leave its end to be asked for."""
    os.waitid(os.P_PID, client, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def ended(client: int) -> str:
    """How a client ended."""
    _, status = os.waitpid(client, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    code = os.WEXITSTATUS(status)
    return _OUTCOMES[code] if code < len(_OUTCOMES) else "failed"


if __name__ == "__main__":
    main(*sys.argv[1:])
