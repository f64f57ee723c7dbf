"""DynamoDB Local, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from isthmus_engines import programs
from isthmus_engines.kinds import Running, running_at
from isthmus_engines.servers import HOST, start_server


def start_dynamodb(root: Path) -> Running:
    """Start DynamoDB Local. Each pair of a region and an access key has tables of its own.

    :raises EngineError: it does not start
    """
    jar, java = programs.dynamodb_local(), programs.java()
    libraries = jar.parent / "DynamoDBLocal_lib"

    def command(port: int) -> Sequence[str]:
        options = ["-Xmx2g", f"-Djava.library.path={libraries}", "-jar", str(jar)]
        return [*java, *options, "-inMemory", "-disableTelemetry", "-port", str(port)]

    server = start_server(root, "dynamodb", command, answers)
    return running_at("dynamodb", f"http://{server.address}", (server.process_id,))


def answers(port: int) -> bool:
    """Whether DynamoDB Local answers at a port; it refuses what is unsigned, which is an answer."""
    return status_of(port, "/") == 400


def status_of(port: int, path: str) -> int | None:
    """The status of a plain GET, or ``None`` where nothing answers."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
