"""What the fast transport can't do, above all a proxy in the environment, selects the boto3 client by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger

from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.boto import BotoTransport
from isthmus_dynamodb.transports.fast import FastTransport
from plugins.dynamodb.tests.servers import calling, forwarding, options_of, serving

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
FAST, BOTO = FastTransport, BotoTransport


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the real environment is seen."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The lines that are logged."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}")
    yield lines
    logger.remove(sink)


def selected(endpoint: str | None) -> type:
    """The kind of transport that is opened."""
    transport = open_transport(Options(endpoint=endpoint, region="eu-west-1", access_key_id="x", secret_access_key="y"))
    transport.close()
    return type(transport)


@pytest.mark.parametrize(
    ("environment", "endpoint", "kind"),
    [
        ({}, "http://db.example:8000", FAST),
        ({"HTTP_PROXY": "http://p:1"}, "http://db.example:8000", BOTO),
        ({"http_proxy": "http://p:1"}, "http://db.example:8000", BOTO),
        ({"HTTPS_PROXY": "http://p:1"}, "http://db.example:8000", FAST),
        ({"HTTPS_PROXY": "http://p:1"}, None, BOTO),
        ({"HTTP_PROXY": "http://p:1"}, None, FAST),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".amazonaws.com"}, None, FAST),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "db.example"}, None, BOTO),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://db.example:8000", FAST),
        ({"HTTP_PROXY": ""}, "http://db.example:8000", FAST),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://db.example:8000/"}, None, FAST),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://db.example:8000/path"}, None, BOTO),
    ],
)
def test_the_environment_selects_the_transport(
    environment: dict[str, str], endpoint: str | None, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy for the endpoint's scheme counts, unless NO_PROXY names its host."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert selected(endpoint) is kind


def test_the_selection_is_logged_once(monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    """The log tells why boto3 is used, and not the proxy's address, which may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@p:1")
    selected(None)
    url = "https://dynamodb.eu-west-1.amazonaws.com"
    assert log == [f"INFO DynamoDB at {url} is reached through a proxy, so transport boto3 is used\n"]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_requests_go_through_the_proxy(mode: str, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint itself need not be reachable."""
    with serving(forwarding(options_of(dynamodb_url).endpoint or "")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with calling(mode, "http://dynamodb.nowhere.invalid") as call:
            assert list(call()) == ["TableNames"]
        assert proxy.connections == 1
