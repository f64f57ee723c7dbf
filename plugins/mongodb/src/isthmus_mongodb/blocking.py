"""The sync client: PyMongo's is made on its first use, and sends what plans ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymongo
from pymongo.errors import PyMongoError
from pymongo.synchronous.client_session import ClientSession
from pymongo.synchronous.database import Database
from pymongo.synchronous.mongo_client import MongoClient

from isthmus.errors import Closed
from isthmus.planned import drive
from isthmus_mongodb.commands import Write, find_in_transaction, find_one, first, is_write
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


class Blocking(Transport):
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
        forget_after_fork(self)

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
            try:
                with pymongo.timeout(GRACE), suppress(PyMongoError):
                    end_sessions(client, self._sessions)
            finally:
                client.close()

    def forget(self) -> None:
        """Leave the client to the parent process: its sockets and threads are not ours after a fork."""
        abandon(self._client)
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
            return answer.to_list() if request.method in CURSORS else answer
        if isinstance(request, Command):
            return self._database().command(dict(request.command))
        if type(request) is RawDocuments:
            return raw_documents(self._database().command(dict(request.command), codec_options=RAW))
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
                session.start_transaction(**TRANSACTION)
            yield session
        finally:
            with pymongo.timeout(ending_within(deadline)):
                session.end_session()
