"""From whole HTTP answers to the service's answers and errors."""

from __future__ import annotations

import json
from typing import Any

import orjson

from isthmus_dynamodb.native import AnswerLost, Json, ServiceError
from isthmus_dynamodb.transports.answers import Answer


def read_answer(answer: Answer, url: str) -> Json:
    """The JSON answer.

    :raises ServiceError: the service refused the request
    :raises AnswerLost: the body of a successful answer is not JSON
    """
    if answer.status != 200:
        raise service_error(answer)
    body = _document(answer.body)
    if body is None:
        raise AnswerLost(f"the answer of {url} is not JSON")
    return body


def service_error(answer: Answer) -> ServiceError:
    """The error that an answer holds; its code is the HTTP status where something else than the service answered."""
    body = _document(answer.body) or {}
    code = body.get("__type") or answer.header("x-amzn-errortype")
    message = body.get("message") or body.get("Message")
    return ServiceError(
        _short(code) if isinstance(code, str) and code else str(answer.status),
        message if isinstance(message, str) else "",
        status=answer.status, body=body, request_id=answer.header("x-amzn-requestid"),
    )  # fmt: skip


def _document(body: bytes) -> Json | None:
    """The object that a body holds; ``None`` if it holds none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _lenient(body)
    return document if isinstance(document, dict) else None


def _lenient(body: bytes) -> Any:
    # The service keeps strings with half of a surrogate pair, which orjson refuses: one such item must not hide all
    # others of its page.
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _short(code: str) -> str:
    """``ThrottlingException`` of ``com.amazonaws.dynamodb.v20120810#ThrottlingException``."""
    return code.split(":", 1)[0].rsplit("#", 1)[-1]
