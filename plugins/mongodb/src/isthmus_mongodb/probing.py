"""What a server offers, found out when the database is opened: a URL tells nothing reliable about it (rule TXN-10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from isthmus.capabilities import Capabilities, Capability, Full, Support, Unsupported
from isthmus.errors import ConfigurationError

OLDEST = (6, 0)

_ALONE = (
    "this server runs alone, and MongoDB has transactions and snapshots only in a replica set, one of a single server"
    " too: start it with --replSet and run rs.initiate() once"
)
_DIGITS = Unsupported("MongoDB's Decimal128 holds 34 digits; store longer numbers as text")

_NOT_UNIQUE = {
    "standalone": (
        "this server runs alone, where a unique index could refuse an item of a transaction that is committed already;"
        " declare unique values in a model, and its repository keeps them by guard items"
    ),
    "sharded cluster": (
        "shards keep values unique only together with the shard key; declare unique values in a model, and its"
        " repository keeps them by guard items"
    ),
}


@frozen
class Server:
    """What a server said of itself.

    :param kind: ``replica set``, ``sharded cluster`` or ``standalone``
    """

    version: str
    kind: str

    @property
    def has_transactions(self) -> bool:
        """Whether there are transactions, and reads of one snapshot."""
        return self.kind != "standalone"


def server_of(hello: Mapping[str, Any], build: Mapping[str, Any], hosts: str) -> Server:
    """What the answers to ``hello`` and ``buildInfo`` tell.

    :raises ConfigurationError: the server is too old, or a member of a set that is not its primary
    """
    version = str(build.get("version", "0"))
    if tuple(build.get("versionArray", (0, 0)))[:2] < OLDEST:
        raise ConfigurationError(f"{hosts} runs MongoDB {version}: Isthmus needs 6.0 or later")
    if "setName" in hello and not hello.get("isWritablePrimary"):
        # Only a direct connection leads to one, and what it reads may be old.
        raise ConfigurationError(
            f"{hosts} is a member of the replica set {hello['setName']!r}, but not its primary: leave directConnection"
            f" out and write replicaSet={hello['setName']}, so that the driver finds the primary"
        )
    if hello.get("msg") == "isdbgrid":
        return Server(version, "sharded cluster")
    return Server(version, "replica set" if "setName" in hello else "standalone")


def capabilities_of(server: Server) -> Capabilities:
    """The capabilities of a database on this server."""
    unique = Full() if server.kind == "replica set" else Unsupported(_NOT_UNIQUE[server.kind])
    exceptions: dict[Capability, Support] = {Capability.WIDE_NUMBERS: _DIGITS, Capability.UNIQUE_INDEX: unique}
    if not server.has_transactions:
        for capability in (Capability.TRANSACT_WRITE, Capability.TRANSACT_GET, Capability.IDEMPOTENCY_TOKEN):
            exceptions[capability] = Unsupported(_ALONE)
    return Capabilities.full_except(exceptions)
