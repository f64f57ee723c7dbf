"""PyMongo's clients, sync and async: each is made on its first use, and sends what plans ask for."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from weakref import WeakSet

import pymongo
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.asynchronous.mongo_client import AsyncMongoClient
from pymongo.errors import NotPrimaryError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.database import Database
from pymongo.synchronous.mongo_client import MongoClient
from pymongo.write_concern import WriteConcern

from isthmus.errors import Closed, ConfigurationError, DeadlineExceeded
from isthmus.planned import adrive, drive
from isthmus_mongodb.commands import Write, find_in_transaction, find_one, first, is_write
from isthmus_mongodb.native import Call, Command, InSession, Settle, Shared
from isthmus_mongodb.numbering import Sessions, Steps, end_sessions, once, repeated
from isthmus_mongodb.options import Options
from isthmus_mongodb.pinned import make
from isthmus_mongodb.settling import Outcome, seconds, settled
from isthmus_mongodb.values import CODEC_OPTIONS

Document = dict[str, Any]

_CURSORS = frozenset({"find", "aggregate", "list_indexes"})
_READS = frozenset({"find_one", "find", "count_documents", "aggregate"})
_NOT_PRIMARY = frozenset({"RSSecondary", "RSArbiter", "RSOther", "RSGhost"})
_TRANSACTION: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority", j=True),
    "read_preference": ReadPreference.PRIMARY,
}
# An abort after the deadline may take so long, seconds.
_GRACE = 0.2


def time_left(deadline: float) -> float:
    """Seconds until a deadline on the monotonic clock.

    :raises DeadlineExceeded: it has passed; nothing was sent
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the deadline passed before the next request was sent: allow a longer timeout")
    return left


class _Transport:
    """What both clients share.

    ``numbered`` says whether the servers know a write again that comes twice; one that runs alone does not.
    """

    numbered = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sessions = Sessions()
        self._direct = options.settings.get("directConnection") == "true"

    def _check_role(self, request: Any, client: Any) -> None:
        """See to it that a read that was answered directly came from the primary, which may have stepped down.

        :raises NotPrimaryError: the member has another role by now
        """
        if type(request) is Call and request.method in _READS:
            servers = client.topology_description.server_descriptions().values()
            if any(server.server_type_name in _NOT_PRIMARY for server in servers):
                raise NotPrimaryError("a read from a member that stepped down", {"code": 10107})

    def _steps(self, request: Write, database: Any, deadline: float | None) -> Steps:
        concern = database.write_concern.document
        if not self.numbered:
            return once(request, concern)
        return repeated(request, concern, self._sessions, database.client, deadline)


class Blocking(_Transport):
    """The sync client."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        # A signal's handler may need what its own thread is about to read.
        self._sharing = threading.RLock()
        self._closed = False
        self._client: MongoClient[Document] | None = None
        self._handle: Database[Document] | None = None
        self._collections: dict[str, Any] = {}
        _TRANSPORTS.add(self)

    def client(self) -> MongoClient[Document]:
        """The driver's client.

        :raises Closed: the database was closed
        """
        with self._lock:
            if self._closed:
                raise Closed("the database was closed: connect again")
            if self._client is None:
                self._client = make(MongoClient, self._options)
            return self._client

    def close(self) -> None:
        """Close the client, where there is one."""
        with self._lock:
            self._closed = True
            client, self._client, self._handle, self._collections = self._client, None, None, {}
        if client is not None:
            with pymongo.timeout(_GRACE), suppress(PyMongoError):
                end_sessions(client, self._sessions)
            client.close()

    def forget(self) -> None:
        """Leave the client to the parent process: its sockets and threads are not ours after a fork."""
        _ABANDONED.append(self._client)
        self._sessions = Sessions()
        self._lock, self._client, self._handle, self._collections = threading.Lock(), None, None, {}
        self._sharing = threading.RLock()

    def send(self, request: Any, deadline: float | None, session: ClientSession | None = None) -> Any:
        """Carry out one request.

        :param deadline: on the monotonic clock, seconds
        """
        if type(request) is InSession:
            return self._in_session(request, deadline)
        if type(request) is Shared:
            return self._shared(request, deadline, session)
        if type(request) is Settle:
            return self._settle(session, deadline)
        if deadline is None:
            answer = self._carry_out(request, session)
        else:
            with pymongo.timeout(time_left(deadline)):
                answer = self._carry_out(request, session, deadline)
        if self._direct:
            self._check_role(request, self.client())
        return answer

    def _carry_out(self, request: Any, session: ClientSession | None, deadline: float | None = None) -> Any:
        if session is None and is_write(request):
            return self._write(request, deadline)
        if type(request) is Call:
            if session is None and request.method == "find_one":
                return first(self._database().command(find_one(request), codec_options=CODEC_OPTIONS))
            if session is not None and session.in_transaction and request.method == "find":
                command = find_in_transaction(request)
                cursor = self._database().cursor_command(command, session=session, codec_options=CODEC_OPTIONS)
                return cursor.to_list()
            method = getattr(self._collection(request.collection), request.method)
            options = request.options if session is None else {**request.options, "session": session}
            answer = method(*request.arguments, **options)
            return answer.to_list() if request.method in _CURSORS else answer
        if isinstance(request, Command):
            return self._database().command(dict(request.command))
        assert session is not None
        return session.commit_transaction()

    def _write(self, request: Write, deadline: float | None) -> Any:
        database = self._database()
        steps = self._steps(request, database, deadline)
        return drive(steps, lambda step: database.command(step[0], session=step[1], codec_options=CODEC_OPTIONS))

    def _database(self) -> Database[Document]:
        found = self._handle
        if found is None:
            found = self._handle = self.client()[self._options.database]
        return found

    def _collection(self, name: str) -> Any:
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = self._database().get_collection(name, CODEC_OPTIONS)
        return found

    def _shared(self, request: Shared, deadline: float | None, session: ClientSession | None) -> Any:
        first = self._sharing.acquire(blocking=False)
        if not first and self._sharing.acquire(timeout=-1 if deadline is None else time_left(deadline)):
            # Only a wait: if what the other caller did has failed, those who waited go on side by side.
            self._sharing.release()
        try:
            if deadline is not None:
                time_left(deadline)
            return drive(request.plan(), lambda inner: self.send(inner, deadline, session))
        finally:
            if first:
                self._sharing.release()

    def _in_session(self, request: InSession, deadline: float | None) -> Any:
        with self._session(request, deadline) as session:
            return drive(request.plan(), lambda inner: self.send(inner, deadline, session))

    def _settle(self, session: Any, deadline: float | None) -> Outcome:
        admin = self.client().admin
        with pymongo.timeout(seconds(deadline)):
            outcome: Outcome = drive(settled(session), lambda command: admin.command(command, session=session))
        return outcome

    @contextmanager
    def _session(self, request: InSession, deadline: float | None) -> Iterator[ClientSession]:
        session = self.client().start_session(causal_consistency=False, snapshot=request.snapshot)
        try:
            if not request.snapshot:
                session.start_transaction(**_TRANSACTION)
            yield session
        finally:
            with pymongo.timeout(_until(deadline)):
                session.end_session()


class OnLoop(_Transport):
    """The async client; it belongs to the event loop on which it was first used."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._sharing = asyncio.Lock()
        self._closed = False
        self._client: AsyncMongoClient[Document] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: AsyncGenerator[None, None] | None = None
        self._handle: AsyncDatabase[Document] | None = None
        self._collections: dict[str, Any] = {}
        _TRANSPORTS.add(self)

    def client(self) -> AsyncMongoClient[Document]:
        """The driver's client for the running loop.

        :raises Closed: the database was closed
        :raises ConfigurationError: another loop, which still runs, has it
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            raise Closed("the database was closed: connect again")
        if self._client is None or self._loop is not loop:
            if self._loop not in (None, loop) and not self._loop.is_closed():
                raise ConfigurationError(
                    "this database belongs to another event loop that is still open: connect once in each loop"
                )
            self.forget()
            self._client, self._loop = make(AsyncMongoClient, self._options), loop
            self._ending = self._until_the_end(self._client)
            _begin(self._ending)
        return self._client

    async def _until_the_end(self, client: AsyncMongoClient[Document]) -> AsyncGenerator[None, None]:
        # A loop closes the generators that have begun on it before it ends itself.
        try:
            yield
        finally:
            if self._client is client:
                self._client = None
                # Sending takes generators of the driver's, for which it is too late: the server forgets by itself.
                client._topology.pop_all_sessions()  # noqa: SLF001  # nothing public closes without sending
                await client.close()

    async def close(self) -> None:
        """Close the client, where there is one that this loop can close."""
        self._closed = True
        if self._client is not None and self._loop is asyncio.get_running_loop():
            client, self._client = self._client, None
            with pymongo.timeout(_GRACE), suppress(PyMongoError):
                await end_sessions(client, self._sessions)
            await client.close()
            if self._ending is not None:
                await self._ending.aclose()
        self.forget()

    def forget(self) -> None:
        """Leave the client to a loop that is gone, or to the parent process."""
        if self._client is not None:
            _ABANDONED.append((self._client, self._ending))
        self._sessions, self._ending = Sessions(), None
        self._client, self._loop, self._handle, self._collections = None, None, None, {}
        self._sharing = asyncio.Lock()

    async def send(self, request: Any, deadline: float | None, session: AsyncClientSession | None = None) -> Any:
        """The async twin of ``Blocking.send``."""
        if type(request) is InSession:
            return await self._in_session(request, deadline)
        if type(request) is Shared:
            return await self._shared(request, deadline, session)
        if type(request) is Settle:
            return await self._settle(session, deadline)
        if deadline is None:
            answer = await self._carry_out(request, session)
        else:
            with pymongo.timeout(time_left(deadline)):
                answer = await self._carry_out(request, session, deadline)
        if self._direct:
            self._check_role(request, self.client())
        return answer

    async def _carry_out(self, request: Any, session: AsyncClientSession | None, deadline: float | None = None) -> Any:
        if session is None and is_write(request):
            return await self._write(request, deadline)
        if type(request) is Call:
            if session is None and request.method == "find_one":
                return first(await self._database().command(find_one(request), codec_options=CODEC_OPTIONS))
            if session is not None and session.in_transaction and request.method == "find":
                command = find_in_transaction(request)
                found = await self._database().cursor_command(command, session=session, codec_options=CODEC_OPTIONS)
                return await found.to_list()
            method = getattr(self._collection(request.collection), request.method)
            options = request.options if session is None else {**request.options, "session": session}
            answer = method(*request.arguments, **options)
            if request.method not in _CURSORS:
                return await answer
            cursor = answer if request.method == "find" else await answer
            return await cursor.to_list()
        if isinstance(request, Command):
            return await self._database().command(dict(request.command))
        assert session is not None
        return await session.commit_transaction()

    async def _write(self, request: Write, deadline: float | None) -> Any:
        database = self._database()
        steps = self._steps(request, database, deadline)
        return await adrive(steps, lambda step: database.command(step[0], session=step[1], codec_options=CODEC_OPTIONS))

    def _database(self) -> AsyncDatabase[Document]:
        client = self.client()  # also sees to it that the loop is the right one
        if self._handle is None:
            self._handle = client[self._options.database]
        return self._handle

    def _collection(self, name: str) -> Any:
        database = self._database()
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = database.get_collection(name, CODEC_OPTIONS)
        return found

    async def _shared(self, request: Shared, deadline: float | None, session: AsyncClientSession | None) -> Any:
        if not self._sharing.locked():
            async with self._sharing:
                return await adrive(request.plan(), lambda inner: self.send(inner, deadline, session))
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline), self._sharing:
                pass
        if deadline is not None:
            time_left(deadline)
        return await adrive(request.plan(), lambda inner: self.send(inner, deadline, session))

    async def _in_session(self, request: InSession, deadline: float | None) -> Any:
        async with self._session(request, deadline) as session:
            return await adrive(request.plan(), lambda inner: self.send(inner, deadline, session))

    async def _settle(self, session: Any, deadline: float | None) -> Outcome:
        admin = self.client().admin
        with pymongo.timeout(seconds(deadline)):
            outcome: Outcome = await adrive(settled(session), lambda command: admin.command(command, session=session))
        return outcome

    @asynccontextmanager
    async def _session(self, request: InSession, deadline: float | None) -> AsyncIterator[AsyncClientSession]:
        session = self.client().start_session(causal_consistency=False, snapshot=request.snapshot)
        try:
            if not request.snapshot:
                await session.start_transaction(**_TRANSACTION)
            yield session
        finally:
            with pymongo.timeout(_until(deadline)):
                await session.end_session()


def _until(deadline: float | None) -> float | None:
    """Seconds that ending a session may take."""
    return None if deadline is None else max(_GRACE, deadline - time.monotonic())


def _begin(generator: AsyncGenerator[None, None]) -> None:
    """Let a generator that waits for nothing run to its first ``yield``."""
    with suppress(StopIteration):
        generator.__anext__().__await__().__next__()


_TRANSPORTS: WeakSet[Blocking | OnLoop] = WeakSet()
# Clients that can't be closed from here; without a reference they would warn that nobody closed them.
_ABANDONED: list[Any] = []


def _after_fork() -> None:
    for transport in list(_TRANSPORTS):
        transport.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
