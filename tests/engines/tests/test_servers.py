"""Servers start on a free port and end with their owner, however that ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from isthmus_engines.errors import EngineError
from isthmus_engines.servers import HOST, Server, is_alive, start_server, wait_until
from isthmus_engines.shared import Engines

# Listens, and does nothing else: the quickest server there is.
LISTEN = """
import socket, sys, time
with socket.socket() as listening:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(sys.argv[1])))
    listening.listen()
    time.sleep(300)
"""
# Owns a server, tells where it is, and waits.
OWN = f"""
import sys, time
from pathlib import Path
from isthmus_engines.servers import start_server
from isthmus_engines.shared import Engines
engines = Engines.own() if sys.argv[1] == "own" else Engines.join(Path(sys.argv[1]))
command = lambda port: [sys.executable, "-c", {LISTEN!r}, str(port)]
server = start_server(engines.root, "listener", command, lambda port: True)
print(server.process_id, engines.root, flush=True)
time.sleep(0 if sys.argv[1] != "own" else 300)
"""


def command(port: int) -> Sequence[str]:
    """The command of the quick server."""
    return [sys.executable, "-c", LISTEN, str(port)]


def answers(port: int) -> bool:
    """Whether something listens at a port."""
    with socket.socket() as connection:
        return connection.connect_ex((HOST, port)) == 0


@pytest.fixture
def engines() -> Iterator[Engines]:
    """Engines that this test owns."""
    found = Engines.own()
    yield found
    found.close()


def assert_gone(process_id: int, root: Path) -> None:
    """A server and its data go."""
    wait_until(lambda: not is_alive(process_id) and not root.exists(), 60, "the server to end")
    assert (is_alive(process_id), root.exists()) == (False, False)


def start_owner(owner: str) -> tuple[subprocess.Popen[str], int, Path]:
    """A process that starts a server: the process, the server's process id and its root."""
    process = subprocess.Popen([sys.executable, "-c", OWN, owner], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        server, root = process.stdout.readline().split()
    return process, int(server), Path(root)


def test_a_server_answers_on_the_loopback_interface(engines: Engines) -> None:
    """It is there when the call returns, with its log in its folder."""
    server = start_server(engines.root, "listener", command, answers)
    assert (server.alive, answers(server.port), server.address) == (True, True, f"127.0.0.1:{server.port}")


def test_another_port_is_tried(engines: Engines) -> None:
    """A server that ends at once, as on a port that was taken meanwhile, is started again on another one."""
    ports: list[int] = []

    def taken_twice(port: int) -> Sequence[str]:
        ports.append(port)
        return command(port) if len(ports) > 2 else [sys.executable, "-c", "raise SystemExit(1)"]

    server = start_server(engines.root, "listener", taken_twice, answers)
    assert (len(ports), server.port, server.alive) == (3, ports[-1], True)


def test_a_server_that_never_starts_shows_its_log(engines: Engines) -> None:
    """The error ends with what the server said last."""
    failing = [sys.executable, "-c", "raise SystemExit('no room on the device')"]
    with pytest.raises(EngineError, match=r"listener does not start:\n(.*\n)*no room on the device$"):
        start_server(engines.root, "listener", lambda _port: failing, answers)


def test_a_program_that_is_not_there_is_named(engines: Engines) -> None:
    """The error says which program can't be run."""
    with pytest.raises(EngineError, match=r"^/no/such/program can't be run:"):
        start_server(engines.root, "listener", lambda _port: ["/no/such/program"], answers)


def test_a_killed_server_restarts_on_its_port(engines: Engines) -> None:
    """After a kill nothing listens; after the restart it does, at the old address."""
    server = start_server(engines.root, "listener", command, answers)
    before = server.address
    server.kill()
    assert (server.alive, answers(server.port)) == (False, False)
    server.restart(answers)
    assert (server.alive, server.address) == (True, before)


def test_close_ends_the_servers(engines: Engines) -> None:
    """And removes their data."""
    server = start_server(engines.root, "listener", command, answers)
    engines.close()
    assert_gone(server.process_id, engines.root)


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM])
def test_servers_end_with_a_killed_owner(with_signal: signal.Signals) -> None:
    """Even one that could run nothing at its end."""
    owner, server, root = start_owner("own")
    assert is_alive(server)
    owner.send_signal(with_signal)
    owner.wait(60)
    assert_gone(server, root)


def test_a_server_outlives_the_process_that_started_it(engines: Engines) -> None:
    """A worker may end before the others: what it started ends with the owner of the run."""
    worker, server, root = start_owner(str(engines.root))
    worker.wait(60)
    assert (is_alive(server), root) == (True, engines.root)
    engines.close()
    assert_gone(server, root)


def test_a_forked_child_does_not_keep_servers(engines: Engines) -> None:
    """A child that was forked while servers run shares the lease's file; its owner's word ends it all the same."""
    server: Server = start_server(engines.root, "listener", command, answers)
    code = "import os, time\nos.fork() or time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        pass_fds=[engines.lease.descriptor] if engines.lease else [],
        start_new_session=True,
    )
    engines.close()
    assert_gone(server.process_id, engines.root)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(60)
