"""moto, the emulator of AWS in Python, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from isthmus_engines.dynamodb import status_of
from isthmus_engines.kinds import Running, running_at
from isthmus_engines.servers import HOST, start_server


def start_moto(root: Path) -> Running:
    """Start moto's server.

    :raises EngineError: it does not start
    """
    server = start_server(root, "moto", _command, answers)
    return running_at("moto", f"http://{server.address}", (server.process_id,))


def answers(port: int) -> bool:
    """Whether moto answers at a port."""
    return status_of(port, "/moto-api/") == 200


def _command(port: int) -> Sequence[str]:
    return [sys.executable, "-m", "moto.server", "--host", HOST, "--port", str(port)]
