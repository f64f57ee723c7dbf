"""The processes of the peers, as seen from the process that measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from attrs import frozen

from tests.bench.servers.blocks import Block
from tests.bench.servers.peers.addresses import ACCESS_KEY, REGION, SECRET_KEY

ROOT = Path(__file__).parents[3]
PEERS = "tests.bench.servers.peers"
END_SECONDS = 60


class PeerFailed(Exception):
    """A peer's process ended; its traceback is on standard error."""


@frozen
class Start:
    """Which module serves a peer, and what it connects to."""

    module: str
    target: str


class Process:
    """A peer that was set up and has checked itself."""

    def __init__(self, label: str, start: Start) -> None:
        name = f"bench_{start.module}_{token_hex(4)}"
        command = [sys.executable, "-m", "tests.bench.servers.worker", f"{PEERS}.{start.module}", start.target, name]
        self._label = label
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
        )
        self.operations: list[str] = []

    def wait(self) -> None:
        """Wait until the set-up is done."""
        self.operations = self._read()

    def run(self, operation: str, callers: int, seconds: float) -> Block:
        """One block; nothing else runs meanwhile."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"operation": operation, "callers": callers, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return Block(**self._read())

    def close(self) -> None:
        """Let the peer drop its table and end."""
        try:
            self._process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"the process of {self._label} ended; see its traceback above")
        return json.loads(line)


@contextmanager
def started(starts: Mapping[str, Start]) -> Iterator[dict[str, Process]]:
    """The peers by label, set up side by side."""
    with ExitStack() as stack:
        found = {}
        for label, start in starts.items():
            found[label] = Process(label, start)
            stack.callback(found[label].close)
        for process in found.values():
            process.wait()
        yield found


def environment() -> dict[str, str]:
    """The caller's environment with the credentials that a local engine takes, and without options of Isthmus."""
    credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION}
    # The addresses of engines are named like such options, and would be refused as unknown ones.
    return {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_")} | credentials
