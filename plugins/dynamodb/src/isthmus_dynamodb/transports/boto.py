"""The plain boto3 client as a transport: for proxies, and for people who use its event hooks."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from botocore import xform_name
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.util.ssl_match_hostname import CertificateError

from isthmus.errors import DeadlineExceeded, Unauthenticated
from isthmus_dynamodb.native import AnswerLost, Json, NotSent, Request, ServiceError
from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.binary import with_bytes
from isthmus_dynamodb.transports.configuration import CREDENTIAL_ERRORS, unauthenticated
from isthmus_dynamodb.transports.forking import forget_in_children
from isthmus_dynamodb.transports.keys import Keys
from isthmus_dynamodb.transports.troubles import CHECKSUM, NO_TEXT, closed, refused_certificate, unreached

_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)


class BotoTransport:
    """Carries requests with a boto3 client.

    A call with a deadline runs in a thread of the transport: boto3 has no time limit for a single call. When the
    deadline passes the caller gets its answer; the thread ends after ``read_timeout`` at the latest.
    """

    def __init__(self, access: Access) -> None:
        self._client = access.client
        self._keys = Keys(access)
        self._url = access.endpoint.url
        self._methods: dict[str, Callable[..., Json]] = {}
        self._size = access.options.max_connections
        self._threads = self._new_threads()
        self._closed = False
        forget_in_children(self)
        self._client.meta.events.register("response-received.dynamodb", _check_answer)

    @property
    def client(self) -> Any:
        return self._client

    def send(self, request: Request, deadline: float | None) -> Json:
        if deadline is None and not self._closed:
            return self._call(request, None)
        future = self._submit(request, deadline)
        try:
            return future.result(None if deadline is None else _left(deadline))
        except FutureTimeoutError:
            raise self._too_late(future) from None
        except CancelledError:
            raise closed() from None

    async def asend(self, request: Request, deadline: float | None) -> Json:
        future = self._submit(request, deadline)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_look_away)
        try:
            done, _ = await asyncio.wait([waiting], timeout=None if deadline is None else _left(deadline))
        except asyncio.CancelledError:
            future.cancel()
            raise
        if not done:
            raise self._too_late(future)
        if waiting.cancelled():
            raise closed()
        return waiting.result()

    def _submit(self, request: Request, deadline: float | None) -> Future[Json]:
        if self._closed:
            raise closed()
        try:
            return self._threads.submit(self._call, request, deadline)
        except RuntimeError:
            # It was closed in this moment.
            raise closed() from None

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def aclose(self) -> None:
        try:
            await asyncio.to_thread(self.close)
        except asyncio.CancelledError:
            # Where no thread was free for it, none will begin it any more; a second call does no harm.
            self.close()
            raise

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of its parent's threads and must not use its sockets."""
        self._keys.forget()
        self._threads = self._new_threads()
        # A client makes new connections after this.
        self._client.close()

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._size, "isthmus-dynamodb")

    def _too_late(self, future: Future[Json]) -> Exception:
        if future.cancel():
            return DeadlineExceeded("the deadline passed before a thread was free for the request")
        return AnswerLost(f"the deadline passed before {self._url} answered")

    def _call(self, request: Request, deadline: float | None) -> Json:
        # The client would find them itself, but what it raises then can't be told from other errors.
        _ = self._keys.ready() or self._keys.obtain(deadline)
        try:
            answer = self._method(request.action)(**with_bytes(request.parameters))
        except ClientError as error:
            raise _service_error(error) from error
        except CREDENTIAL_ERRORS as error:
            raise unauthenticated(error) from error
        except UnicodeEncodeError:
            raise Unauthenticated(NO_TEXT) from None
        except _NEVER_SENT as error:
            raise NotSent(unreached(self._url, _reason(error))) from error
        except SSLError as error:
            raise self._tls_trouble(error) from error
        except (HTTPClientError, ResponseParserError) as error:
            raise AnswerLost(f"{self._url} gave no usable answer ({type(error).__name__})") from error
        answer.pop("ResponseMetadata", None)
        return answer

    def _method(self, action: str) -> Callable[..., Json]:
        method = self._methods.get(action)
        if method is None:
            method = self._methods[action] = getattr(self._client, xform_name(action))
        return method

    def _tls_trouble(self, error: SSLError) -> Exception:
        certificate = _certificate_error(error)
        if certificate is not None:
            return refused_certificate(self._url, certificate)
        return AnswerLost(f"the TLS connection to {self._url} broke")


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _look_away(future: asyncio.Future[Json]) -> None:
    """Take the failure that nobody may wait for any more."""
    if not future.cancelled():
        future.exception()


def _service_error(error: ClientError) -> ServiceError:
    body: Json = {name: value for name, value in error.response.items() if name not in ("Error", "ResponseMetadata")}
    about, details = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    return ServiceError(
        about.get("Code", "Unknown"), about.get("Message", ""), status=details.get("HTTPStatusCode", 0), body=body,
        request_id=details.get("RequestId"),
    )  # fmt: skip


def _reason(error: Exception) -> str:
    cause = error.kwargs.get("error") if isinstance(error, EndpointConnectionError) else None
    return str(getattr(cause, "reason", None) or cause or type(error).__name__)


def _certificate_error(error: BaseException | None) -> Exception | None:
    """The refusal of a certificate among the causes of an error: OpenSSL's, or urllib3's of a host name."""
    while error is not None:
        for one in (error, *error.args):
            if isinstance(one, ssl.SSLCertVerificationError | CertificateError):
                return one
        error = error.__cause__ or error.__context__
    return None


def _check_answer(response_dict: Any, **_details: Any) -> None:
    """Refuse a damaged answer: botocore takes one whose head was cut short for a whole one without a body.

    Without retries it does not look at the checksum either.
    """
    if not response_dict:
        return
    headers = response_dict["headers"]
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise AnswerLost("the head of the answer was cut short on the way")
    wanted = headers.get("x-amz-crc32")
    if wanted is not None and str(zlib.crc32(response_dict["body"])) != wanted:
        raise AnswerLost(CHECKSUM)
