"""MongoDB servers: a standalone one, and members of a replica set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from isthmus_engines import programs
from isthmus_engines.kinds import Running, running_at
from isthmus_engines.servers import HOST, Command, Server, start_server, wait_until

SET_NAME = "rs0"
PRIMARY_SECONDS = 60.0


def start_standalone(root: Path) -> Running:
    """Start a server that belongs to no replica set.

    :raises EngineError: it does not start
    """
    server = start_member(root, "mongodb-standalone", replicated=False)
    return running_at("mongodb_standalone", f"mongodb://{server.address}/", (server.process_id,))


def start_set_of_one(root: Path) -> Running:
    """Start a replica set of one member, and wait until it takes writes.

    :raises EngineError: it does not start
    """
    servers = [start_member(root, "mongodb")]
    initiate(servers)
    return running_at("mongodb", set_address(servers), (servers[0].process_id,))


def start_set_of_three(root: Path) -> Running:
    """Start a replica set of three members, and wait until it takes writes.

    :raises EngineError: one does not start
    """
    servers = start_members(root, 3)
    return running_at("mongodb_set", set_address(servers), tuple(server.process_id for server in servers))


def start_members(root: Path, count: int) -> list[Server]:
    """Start the members of a set, and wait until one of them takes writes.

    :raises EngineError: one does not start
    """
    servers = [start_member(root, f"mongodb-{number}") for number in range(count)]
    initiate(servers)
    return servers


def start_member(root: Path, name: str, *, replicated: bool = True) -> Server:
    """Start one server.

    :raises EngineError: it does not start
    """
    return start_server(root, name, command_of(programs.mongod(), replicated=replicated), answers)


def command_of(program: Path, *, replicated: bool) -> Command:
    """The command line of a server: small, quick to expire items, open for fail points."""

    def command(port: int) -> Sequence[str]:
        listening = ["--port", str(port), "--bind_ip", HOST, "--nounixsocket"]
        storing = ["--dbpath", ".", "--wiredTigerCacheSizeGB", "0.25"]
        testing = ["--setParameter", "ttlMonitorSleepSecs=1", "--setParameter", "enableTestCommands=1"]
        quiet = ["--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"]
        replicating = ["--replSet", SET_NAME, "--oplogSize", "128"] if replicated else []
        return [str(program), *listening, *storing, *testing, *quiet, *replicating]

    return command


def answers(port: int) -> bool:
    """Whether a server answers at a port."""
    return ask(port, lambda admin: bool(admin.command("hello")["ok"]))


def is_primary(port: int) -> bool:
    """Whether the server at a port takes writes."""
    return ask(port, lambda admin: bool(admin.command("hello").get("isWritablePrimary")))


def has_synced(port: int) -> bool:
    """Whether the server at a port holds the set's data, and so could become its primary."""
    return ask(
        port, lambda admin: any(admin.command("hello").get(state) for state in ("isWritablePrimary", "secondary"))
    )


def ask(port: int, question: Callable[[Any], bool]) -> bool:
    """Ask the server at a port, of whatever state it is; ``False`` where it does not answer."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    options = "directConnection=true&serverSelectionTimeoutMS=500&connectTimeoutMS=500&socketTimeoutMS=5000"
    client: MongoClient[dict[str, Any]] = MongoClient(f"mongodb://{HOST}:{port}/?{options}")
    with client:
        try:
            return question(client.admin)
        except PyMongoError:
            return False


def initiate(servers: Sequence[Server]) -> None:
    """Make a replica set of servers, and wait until one takes writes and the others could take over.

    :raises EngineError: they don't in time
    """
    members = [{"_id": number, "host": server.address} for number, server in enumerate(servers)]
    settings = {"electionTimeoutMillis": 1_000}
    declaration = {"_id": SET_NAME, "members": members, "settings": settings}
    ask(servers[0].port, lambda admin: bool(admin.command("replSetInitiate", declaration)["ok"]))
    wait_until(lambda: any(is_primary(server.port) for server in servers), PRIMARY_SECONDS, "a primary")
    wait_until(lambda: all(has_synced(server.port) for server in servers), PRIMARY_SECONDS, "the members to hold data")


def set_address(servers: Sequence[Server]) -> str:
    """The MongoDB URL of a replica set."""
    return f"mongodb://{','.join(server.address for server in servers)}/?replicaSet={SET_NAME}"
