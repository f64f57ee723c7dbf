"""Servers: started on a free port, waited for, killed by their process ids."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define

from isthmus_engines import keeper
from isthmus_engines.errors import EngineError

START_SECONDS = 60.0
ENDING_SECONDS = 60.0
"""How long a killed process may take to be gone, on a machine that has much else to do."""
ATTEMPTS = 5
LOG = "server.log"
HOST = "127.0.0.1"

Command = Callable[[int], Sequence[str]]
"""Gives the command line for a port; it runs inside the server's folder."""
Ready = Callable[[int], bool]
"""Whether a server answers at a port."""


@define
class Server:
    """One process that serves a port.

    :param folder: its data and its log
    """

    root: Path
    folder: Path
    command: Command
    port: int
    process_id: int

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return is_alive(self.process_id)

    def kill(self) -> None:
        """End the process at once, as a power failure would, and wait until it is gone."""
        if self.alive:
            os.kill(self.process_id, signal.SIGKILL)
        wait_until(lambda: not self.alive, ENDING_SECONDS, "the process to end")

    def restart(self, ready: Ready) -> None:
        """Start a killed server again, on its old port and data.

        :raises EngineError: it does not answer
        """
        self.process_id = _launch(self.root, self.folder, self.command(self.port))
        if not _comes_up(self, ready):
            raise EngineError(f"{self.folder.name} does not start again:\n{_end_of_log(self.folder)}")


def start_server(root: Path, name: str, command: Command, ready: Ready) -> Server:
    """Start a server and wait until it answers.

    :param root: the folder of the lease that ends the server
    :raises EngineError: it ended, or did not answer in time; with the end of its log
    """
    folder = root / name
    folder.mkdir()
    for _ in range(ATTEMPTS):  # another process may take the port before the server does
        port = free_port()
        server = Server(root, folder, command, port, _launch(root, folder, command(port)))
        if _comes_up(server, ready):
            return server
    raise EngineError(f"{name} does not start:\n{_end_of_log(folder)}")


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


def is_alive(process_id: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something holds.

    :raises EngineError: it does not in time
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise EngineError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def _launch(root: Path, folder: Path, command: Sequence[str]) -> int:
    keeping = [sys.executable, "-I", "-S", keeper.__file__, str(root), *command]
    with (folder / LOG).open("ab") as log:
        done = subprocess.run(
            keeping, cwd=folder, stdout=subprocess.PIPE, stderr=log, check=False, start_new_session=True
        )
    if not done.stdout:
        raise EngineError(f"{command[0]} can't be run:\n{_end_of_log(folder)}")
    return int(done.stdout)


def _comes_up(server: Server, ready: Ready) -> bool:
    """Whether the server answers; ``False`` if it ended, so that another port is tried.

    :raises EngineError: it lives, but does not answer in time
    """
    end = time.monotonic() + START_SECONDS
    while server.alive:
        if ready(server.port) and server.alive:
            return True
        if time.monotonic() > end:
            server.kill()
            raise EngineError(f"{server.folder.name} does not answer:\n{_end_of_log(server.folder)}")
        time.sleep(0.05)
    return False


def _end_of_log(folder: Path) -> str:
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-10:]) or "its log is empty"
