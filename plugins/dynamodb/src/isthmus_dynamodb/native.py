"""What plans exchange with a transport: requests in DynamoDB's own JSON, and the service's refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

Json = dict[str, Any]


@frozen
class Request:
    """One call of the service.

    :param action: the API's name of it, ``"GetItem"`` say
    :param parameters: its JSON body. Binary values are base64 text, as on the wire
    """

    action: str
    parameters: Json


@frozen
class Pause:
    """A wait between two requests, made by the backend itself: plans poll with it.

    :param seconds: how long; a plan asks for no longer than its deadline allows
    """

    seconds: float


class ServiceError(Exception):
    """The service answered with an error.

    :param code: its short name, ``"ConditionalCheckFailedException"`` say
    :param status: HTTP status
    :param body: the whole JSON answer: the current ``Item``, ``CancellationReasons``
    :ivar action: the request's, told by the backend; ``None`` if nobody knows it
    """

    action: str | None = None

    def __init__(
        self, code: str, message: str, *, status: int, body: Mapping[str, Any], request_id: str | None
    ) -> None:
        super().__init__(f"{code} (HTTP {status})")
        self.code = code
        self.service_message = message
        self.status = status
        self.body = body
        self.request_id = request_id


class NotSent(Exception):  # it says what happened to the request
    """The request surely did not reach the service; the cause says why."""


class AnswerLost(Exception):  # it says what happened to the answer
    """The request may have reached the service, and there is no answer; the cause says why.

    :ivar action: the request's, told by the backend; ``None`` if nobody knows it
    """

    action: str | None = None


class AnswerTooLarge(AnswerLost):
    """The answer is longer than a transport keeps in memory: a request for fewer items has a shorter one."""


class Transport(Protocol):
    """Carries requests to the service, without repeating any (rule CND-7).

    ``send`` and ``asend`` return the JSON answer, in which binary values are base64 text or bytes. They raise
    ``ServiceError``, ``NotSent``, ``AnswerLost``, or an error of Isthmus's tree.
    """

    def send(self, request: Request, deadline: float | None) -> Json:
        """Blocking; ``deadline`` is on the monotonic clock, seconds."""

    async def asend(self, request: Request, deadline: float | None) -> Json:
        """On an event loop."""

    def close(self) -> None:
        """Close all connections."""

    async def aclose(self) -> None:
        """Close all connections, of the running loop too."""

    @property
    def client(self) -> Any:
        """A boto3 client with the same endpoint and credentials."""
