"""The async client: PyMongo's is made on its first use in an event loop, and sends what plans ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pymongo
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.asynchronous.mongo_client import AsyncMongoClient
from pymongo.errors import PyMongoError

from isthmus.errors import Closed, ConfigurationError
from isthmus.planned import adrive
from isthmus_mongodb.commands import Write, find_in_transaction, find_one, first, is_write
from isthmus_mongodb.connecting import close_client, close_unconnected, watch_removed
from isthmus_mongodb.forks import forget_after_fork
from isthmus_mongodb.native import Call, Command, InSession, RawDocuments, Settle, Shared, raw_documents
from isthmus_mongodb.numbering import Sessions, end_sessions
from isthmus_mongodb.options import Options
from isthmus_mongodb.pinned import make
from isthmus_mongodb.settling import Outcome, seconds, settled
from isthmus_mongodb.transport import (
    CURSORS,
    GRACE,
    TRANSACTION,
    Document,
    Transport,
    abandon,
    ending_within,
    time_left,
)
from isthmus_mongodb.values import CODEC_OPTIONS, RAW


class OnLoop(Transport):
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
        forget_after_fork(self)

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
            watch_removed(self._client)
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
                await close_client(client)

    async def close(self) -> None:
        """Close the client, where there is one that this loop can close."""
        self._closed = True
        if self._client is not None and self._loop is asyncio.get_running_loop():
            client = self._client
            try:
                with pymongo.timeout(GRACE), suppress(PyMongoError):
                    await end_sessions(client, self._sessions)
            finally:
                await close_client(client)
            self._client = None  # not before: a loop that ends meanwhile closes it once more
            if self._ending is not None:
                await self._ending.aclose()
        self.forget()

    def forget(self) -> None:
        """Leave the client to a loop that is gone, or to the parent process."""
        if self._client is not None:
            abandon(self._client, self._ending)
        self._sessions, self._ending = Sessions(), None
        self._client, self._loop, self._handle, self._collections = None, None, None, {}
        self._sharing = asyncio.Lock()

    async def send(self, request: Any, deadline: float | None, session: AsyncClientSession | None = None) -> Any:
        """The async twin of ``Blocking.send``."""
        try:
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
        except asyncio.CancelledError as cancelled:
            close_unconnected(cancelled)
            raise
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
            if request.method not in CURSORS:
                return await answer
            cursor = answer if request.method == "find" else await answer
            return await cursor.to_list()
        if isinstance(request, Command):
            return await self._database().command(dict(request.command))
        if type(request) is RawDocuments:
            return raw_documents(await self._database().command(dict(request.command), codec_options=RAW))
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
                await session.start_transaction(**TRANSACTION)
            yield session
        finally:
            with pymongo.timeout(ending_within(deadline)):
                await session.end_session()


def _begin(generator: AsyncGenerator[None, None]) -> None:
    """Let a generator that waits for nothing run to its first ``yield``."""
    with suppress(StopIteration):
        generator.__anext__().__await__().__next__()
