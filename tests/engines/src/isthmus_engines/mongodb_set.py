"""A replica set of three members that a test may kill and restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from isthmus_engines.errors import EngineError
from isthmus_engines.kinds import Running, running_at
from isthmus_engines.mongodb import PRIMARY_SECONDS, answers, is_primary, set_address, start_members
from isthmus_engines.servers import Server, wait_until
from isthmus_engines.shared import Engines


@frozen
class MongoDBSet:
    """A replica set under a test's control; members are numbered from 0."""

    servers: Sequence[Server]

    @property
    def running(self) -> Running:
        """Its URL and its address."""
        ids = tuple(server.process_id for server in self.servers)
        return running_at("mongodb_set", set_address(self.servers), ids)

    def primary(self) -> int:
        """The member that takes writes; waits for an election.

        :raises EngineError: none does in time
        """
        wait_until(lambda: self._primary() is not None, PRIMARY_SECONDS, "a primary")
        found = self._primary()
        if found is None:
            raise EngineError("the primary of the replica set was lost again: ask once more")
        return found

    def kill(self, member: int) -> None:
        """Kill a member, as a power failure would."""
        self.servers[member].kill()

    def restart(self, member: int) -> None:
        """Start a killed member again, on its port and data.

        :raises EngineError: it does not answer
        """
        self.servers[member].restart(answers)

    def _primary(self) -> int | None:
        return next((n for n, server in enumerate(self.servers) if server.alive and is_primary(server.port)), None)


@contextmanager
def mongodb_set(members: int = 3) -> Iterator[MongoDBSet]:
    """A replica set of its own.

    :raises EngineMissing: there is no mongod
    :raises EngineError: a member does not start
    """
    engines = Engines.own()
    try:
        yield MongoDBSet(start_members(engines.root, members))
    finally:
        engines.close()
