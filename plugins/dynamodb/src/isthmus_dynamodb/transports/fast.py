"""The fast transport: own signature, own HTTP connections, orjson; blocking and on event loops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from isthmus_dynamodb.native import Json, Request
from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.answers import Answer
from isthmus_dynamodb.transports.async_pool import AsyncPool
from isthmus_dynamodb.transports.credentials import KeySource
from isthmus_dynamodb.transports.dialing import Dialer
from isthmus_dynamodb.transports.forking import forget_in_children
from isthmus_dynamodb.transports.interpreting import read_answer, service_error
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

    def __init__(self, access: Access, keys: KeySource) -> None:
        self._access = access
        self._url = access.endpoint.url
        self._keys = keys
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
        credentials, skew = self._keys.ready() or self._keys.obtain(deadline), self._signer.skew
        body = orjson.dumps(request.parameters)
        answer = self._pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        if answer.status != 200 and (code := _refusal(answer)):
            if not (self._keys.renew(credentials, deadline) if code in _EXPIRED else self._set_clock(answer, skew)):
                raise service_error(answer)
            credentials = self._keys.ready() or self._keys.obtain(deadline)
            answer = self._pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        return read_answer(answer, self._url)

    async def asend(self, request: Request, deadline: float | None) -> Json:
        credentials, skew = self._keys.ready() or await self._keys.aobtain(deadline), self._signer.skew
        pool = self._loops.get(asyncio.get_running_loop()) or await self._new_pool()
        body = orjson.dumps(request.parameters)
        answer = await pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        if answer.status != 200 and (code := _refusal(answer)):
            expired = code in _EXPIRED
            if not (await self._keys.arenew(credentials, deadline) if expired else self._set_clock(answer, skew)):
                raise service_error(answer)
            credentials = self._keys.ready() or await self._keys.aobtain(deadline)
            answer = await pool.exchange(self._signer.message(credentials, request.action, body), deadline)
        return read_answer(answer, self._url)

    def _set_clock(self, answer: Answer, signed_with: float) -> bool:
        """Follow the service's clock; false if a request that was signed with this skew had the right time."""
        if self._signer.skew != signed_with:
            # The answer to another request has corrected it in the meantime.
            return True
        skew = _skew(answer)
        if skew is None or abs(skew - signed_with) < _TOLERATED_SKEW:
            return False
        self._signer.skew = skew
        return True

    async def _new_pool(self) -> AsyncPool:
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [one for one in self._loops if one.is_closed()]:
                del self._loops[ended]
            pool = self._loops[loop] = AsyncPool(self._dialer, self._access.options.max_connections, **self._limits)
            if self._closed:
                pool.close()
        await pool.close_with_loop()
        return pool

    def close(self) -> None:
        self._pool.close()
        with self._lock:
            self._closed = True
            pools = list(self._loops.items())
        for loop, pool in pools:
            # A loop that has ended in this moment closed its connections itself.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(pool.close)

    async def aclose(self) -> None:
        self.close()
        # One turn of the loop for its own pool, one for its transports, which close in a callback.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def forget(self) -> None:
        """Begin anew in a forked process, which must not touch the connections of its parent."""
        self._lock = threading.Lock()
        self._keys.forget()
        self._pool.forget()
        # Never closed here: that would reach into the parent's event loop.
        _INHERITED.extend(self._loops.values())
        self._loops = {}


_INHERITED: list[AsyncPool] = []


def _refusal(answer: Answer) -> str | None:
    """The error's code if credentials or signature were refused."""
    code = service_error(answer).code if answer.status in (400, 403) else ""
    return code if code in _EXPIRED or code in _SKEWED else None


def _skew(answer: Answer) -> float | None:
    """What the service's clock is ahead of ours, seconds, as far as the answer says."""
    date = answer.header("date")
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None
