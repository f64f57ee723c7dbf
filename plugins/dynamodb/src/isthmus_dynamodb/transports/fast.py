"""The fast transport: own signature, own HTTP connections, orjson; blocking and on event loops."""

from __future__ import annotations

import asyncio
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from isthmus_dynamodb.native import Json, Request
from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.answers import Answer
from isthmus_dynamodb.transports.async_pool import AsyncPool
from isthmus_dynamodb.transports.dialing import Dialer
from isthmus_dynamodb.transports.forking import forget_in_children
from isthmus_dynamodb.transports.interpreting import read_answer, service_error
from isthmus_dynamodb.transports.keys import Keys
from isthmus_dynamodb.transports.pool import Pool
from isthmus_dynamodb.transports.signing import Signer

_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch"})
# A clock that differs by less is no reason for a refusal; seconds.
_TOLERATED_SKEW = 30.0


class FastTransport:
    """Carries requests over connections of its own.

    A refused signature is the one case in which a request is sent twice: the service did not carry it out, and the
    second one has fresh credentials, or the service's time.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._url = access.endpoint.url
        self._keys = Keys(access)
        self._signer = Signer(access.endpoint, access.region, access.signing_name)
        self._dialer = Dialer.of(access)
        self._lock = threading.Lock()
        self._closed = False
        options = access.options
        self._limits: dict[str, Any] = {"wait": options.pool_timeout, "read_timeout": options.read_timeout}
        self._pool = Pool(self._dialer, options.max_connections, **self._limits)
        self._loops: dict[asyncio.AbstractEventLoop, AsyncPool] = {}
        forget_in_children(self)

    @property
    def client(self) -> Any:
        return self._access.client

    def send(self, request: Request, deadline: float | None) -> Json:
        credentials = self._keys.current()
        body = orjson.dumps(request.parameters)
        answer = self._pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        if answer.status != 200 and _is_refused(answer) and self._mend(answer, credentials):
            message = self._signer.message(self._keys.current(), request.action, body)
            answer = self._pool.exchange(message, deadline)
        return read_answer(answer, self._url)

    async def asend(self, request: Request, deadline: float | None) -> Json:
        credentials = await self._current()
        pool = self._loops.get(asyncio.get_running_loop()) or self._new_pool()
        body = orjson.dumps(request.parameters)
        answer = await pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        if answer.status != 200 and _is_refused(answer) and await asyncio.to_thread(self._mend, answer, credentials):
            message = self._signer.message(await self._current(), request.action, body)
            answer = await pool.exchange(message, deadline)
        return read_answer(answer, self._url)

    async def _current(self) -> Any:
        return await asyncio.to_thread(self._keys.current) if self._keys.waits else self._keys.current()

    def _mend(self, answer: Answer, credentials: Any) -> bool:
        """Correct what made the service refuse a signature; false if that can't be corrected."""
        if service_error(answer).code in _EXPIRED:
            return self._keys.renew(credentials)
        skew = _skew(answer)
        if skew is None or abs(skew - self._signer.skew) < _TOLERATED_SKEW:
            return False
        self._signer.skew = skew
        return True

    def _new_pool(self) -> AsyncPool:
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [one for one in self._loops if one.is_closed()]:
                del self._loops[ended]
            pool = self._loops[loop] = AsyncPool(self._dialer, self._access.options.max_connections, **self._limits)
            if self._closed:
                pool.close()
        return pool

    def close(self) -> None:
        self._pool.close()
        with self._lock:
            self._closed = True
            pools = list(self._loops.items())
        for loop, pool in pools:
            if not loop.is_closed():
                loop.call_soon_threadsafe(pool.close)

    async def aclose(self) -> None:
        self.close()
        # One turn of the loop for its own pool, one for its transports, which close in a callback.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def forget(self) -> None:
        """Begin anew in a forked process, which must not touch the connections of its parent."""
        self._lock = threading.Lock()
        self._pool.forget()
        # Never closed here: that would reach into the parent's event loop.
        _INHERITED.extend(self._loops.values())
        self._loops = {}


_INHERITED: list[AsyncPool] = []


def _is_refused(answer: Answer) -> bool:
    """Whether credentials or signature were refused."""
    return answer.status in (400, 403) and service_error(answer).code in _EXPIRED | _SKEWED


def _skew(answer: Answer) -> float | None:
    """What the service's clock is ahead of ours, seconds, as far as the answer says."""
    date = answer.header("date")
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None
