"""Signed requests: AWS Signature Version 4 with everything that stays the same worked out beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from typing import Any

from attrs import define, field, frozen

from isthmus.errors import Unauthenticated
from isthmus_dynamodb.transports.endpoints import Endpoint
from isthmus_dynamodb.transports.troubles import NO_TEXT

_CONTENT_TYPE = "application/x-amz-json-1.0"
_TARGET = "DynamoDB_20120810."
_ALGORITHM = "AWS4-HMAC-SHA256"


class Message(bytes):
    """A signed request, which shows nothing of itself: it holds the session token and the item."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<request of {len(self)} bytes>"

    __str__ = __repr__


@frozen
class Form:
    """The unchanging parts of the requests of one action."""

    canonical_start: str = field(repr=False)
    canonical_end: str = field(repr=False)
    head_start: str = field(repr=False)
    head_end: str = field(repr=False)


@define
class Scope:
    """What holds for one day and one set of credentials: the derived key, and the forms made so far."""

    credentials: Any = field(repr=False)
    day: str
    name: str
    key: bytes = field(repr=False)
    forms: dict[str, Form] = field(factory=dict, repr=False)


class Signer:
    """Makes the bytes of signed requests for one endpoint; safe to use from several threads.

    :param region: the region that the signature names
    :param service: the service's signing name
    :param clock: seconds since the epoch
    """

    def __init__(self, endpoint: Endpoint, region: str, service: str, clock: Callable[[], float] = time.time) -> None:
        self._authority = endpoint.authority
        self._region = region
        self._service = service
        self._clock = clock
        self._stamp = (0, "")
        self._scope = Scope(None, "", "", b"")
        self.skew = 0.0
        """What the service's clock is ahead of ours, seconds."""

    def message(self, credentials: Any, action: str, body: bytes) -> Message:
        """A whole HTTP request.

        :param credentials: access key, secret key and token; the same object as long as they are the same
        :raises Unauthenticated: the credentials can't stand in a request
        """
        second = int(self._clock() + self.skew)
        at, stamp = self._stamp
        if at != second:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._stamp = (second, stamp)
        scope = self._scope
        if scope.credentials is not credentials or not stamp.startswith(scope.day) or not scope.day:
            scope = self._scope = self._new_scope(credentials, stamp[:8])
        form = scope.forms.get(action) or self._new_form(scope, action)
        canonical = f"{form.canonical_start}{stamp}{form.canonical_end}{sha256(body).hexdigest()}"
        text = f"{_ALGORITHM}\n{stamp}\n{scope.name}\n{sha256(canonical.encode()).hexdigest()}"
        signature = digest(scope.key, text.encode(), "sha256").hex()
        head = f"{form.head_start}{stamp}{form.head_end}{signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        return Message(head.encode() + body)

    def _new_scope(self, credentials: Any, day: str) -> Scope:
        if not all(map(_is_sendable, (credentials.access_key, credentials.token or ""))):
            raise Unauthenticated("the AWS access key id or session token holds a character that can't be sent")
        try:
            key = b"AWS4" + credentials.secret_key.encode()
        except UnicodeEncodeError:
            raise Unauthenticated(NO_TEXT) from None
        for part in (day, self._region, self._service, "aws4_request"):
            key = digest(key, part.encode(), "sha256")
        return Scope(credentials, day, f"{day}/{self._region}/{self._service}/aws4_request", key)

    def _new_form(self, scope: Scope, action: str) -> Form:
        target, token = f"{_TARGET}{action}", scope.credentials.token
        names = f"content-type;host;x-amz-date;{'x-amz-security-token;' if token else ''}x-amz-target"
        form = scope.forms[action] = Form(
            f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self._authority}\nx-amz-date:",
            f"\n{f'x-amz-security-token:{token}{chr(10)}' if token else ''}x-amz-target:{target}\n\n{names}\n",
            f"POST / HTTP/1.1\r\nHost: {self._authority}\r\nContent-Type: {_CONTENT_TYPE}\r\nX-Amz-Target: {target}\r\n"
            f"User-Agent: isthmus-dynamodb\r\n{f'X-Amz-Security-Token: {token}{chr(13)}{chr(10)}' if token else ''}"
            "X-Amz-Date: ",
            f"\r\nAuthorization: {_ALGORITHM} Credential={scope.credentials.access_key}/{scope.name},"
            f" SignedHeaders={names}, Signature=",
        )
        return form


def _is_sendable(text: str) -> bool:
    """Whether a header can hold it."""
    return text.isascii() and text.isprintable() and " " not in text
