"""No key, token or password gets into an error, a traceback or a log."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from io import StringIO

import pytest
from loguru import logger

from isthmus.errors import ConfigurationError, Unauthenticated
from isthmus_dynamodb.native import AnswerLost, NotSent
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from plugins.dynamodb.tests.servers import Handler, answer, answering, calling, serving

SECRETS = {"access_key_id": "x", "secret_access_key": "hunter2", "session_token": "token3"}
EXPIRED = answer(b'{"__type":"x#ExpiredTokenException"}', status="400 Bad Request")


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """A log as loguru sets it up by itself, with the values of variables in tracebacks."""
    lines = StringIO()
    sink = logger.add(lines, diagnose=True, backtrace=True)
    yield lines
    logger.remove(sink)


@pytest.mark.parametrize("handler", [answering(b"garbage\r\n\r\n"), answering(EXPIRED)])
def test_a_logged_failure_shows_no_secret(mode: str, log: StringIO, handler: Handler) -> None:
    """The frames that a failure passes through hold nothing that shows a key or a token."""
    with serving(handler) as server, calling(mode, server.url, **SECRETS) as call:
        try:
            call()
        except Exception:
            logger.exception("failed")
    text = log.getvalue()
    assert "isthmus_dynamodb/transports" in text
    assert [secret for secret in ("hunter2", "token3") if secret in text] == []


def test_no_frame_of_a_failure_shows_a_secret(mode: str) -> None:
    """Neither where nothing was sent nor where the answer was lost."""
    with serving(answering(b"garbage\r\n\r\n")) as server:
        shown = []
        for url, kind in ((server.url, AnswerLost), ("http://127.0.0.1:9", NotSent)):
            with calling(mode, url, **SECRETS) as call, pytest.raises(kind) as caught:
                call()
            frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            shown.append("".join(frames.format()))
    # What this test itself gives to the call is not what is looked for.
    assert [("'hunter2'" in text.replace(repr(SECRETS), ""), "isthmus_dynamodb" in text) for text in shown] == [
        (False, True)
    ] * 2
    assert [text for text in shown if "Security-Token" in text] == []


@pytest.mark.parametrize("transport", ["fast", "boto3"])
def test_a_secret_that_is_no_text_is_told_and_not_kept(mode: str, transport: str) -> None:
    """A byte that can't be decoded in the secret key makes no error that holds the key."""
    options = {"transport": transport, "secret_access_key": "hunter2\udc80"}
    with (
        calling(mode, "http://127.0.0.1:9", **options) as call,
        pytest.raises(Unauthenticated, match="no text") as caught,
    ):
        call()
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize("transport", ["fast", "boto3"])
@pytest.mark.parametrize(
    "endpoint",
    ["http://user:hunter2@127.0.0.1:9/", "http://hunter2@h/path", "user:hunter2@host", "http://u:hunter2@h:x"],
)
def test_an_endpoint_of_the_environment_with_a_password_is_refused(
    endpoint: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages name the endpoint, so one that holds a password is not used, and not repeated."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    options = Options(region="x", transport=transport, access_key_id="x", secret_access_key="y")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as caught:
        open_transport(options)
    assert ("hunter2" in str(caught.value), caught.value.__cause__) == (False, None)
