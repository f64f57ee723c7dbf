"""What URLs and options may say, and what is said about those that may not."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import isthmus
from isthmus import BackendConfig
from isthmus.errors import ConfigurationError
from isthmus_dynamodb.options import Options, read_options

KEYS: dict[str, Any] = {"access_key_id": "AKID", "secret_access_key": "very-secret", "session_token": "tok-secret"}


def read(url: str, **options: Any) -> Options:
    """The options of a URL."""
    parts = urlsplit(url)
    return read_options(BackendConfig(parts, time.time, {**dict(parse_qsl(parts.query)), **options}))


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("dynamodb://eu-west-1/", "eu-west-1"),
        ("dynamodb://eu-west-1", "eu-west-1"),
        ("dynamodb://EU-WEST-1/?region=us-east-1", "eu-west-1"),
        ("dynamodb://?region=us-east-1", "us-east-1"),
        ("dynamodb://", None),
    ],
)
def test_the_urls_host_is_the_region_and_wins(url: str, region: str | None) -> None:
    """The host stands for the region, else the option, else the AWS configuration."""
    assert read(url).region == region


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://localhost:8000/",
        "dynamodb://dynamodb.eu-west-1.amazonaws.com/",
        "dynamodb://eu-west-1/orders",
        "dynamodb://eu-west-1/#orders",
        "dynamodb://eu_west_1/",
    ],
)
def test_urls_of_another_form_are_refused_with_the_right_one(url: str) -> None:
    """The message shows how a region and an endpoint are written."""
    with pytest.raises(ConfigurationError, match=r"dynamodb://eu-west-1/\?endpoint=http://localhost:8000"):
        read(url)


def test_credentials_in_the_host_are_refused_and_not_repeated() -> None:
    """A password before the region is told without itself."""
    with pytest.raises(ConfigurationError, match="use the options access_key_id or profile") as caught:
        read("dynamodb://user:hunter2@eu-west-1/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"endpoint": "localhost:8000"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://u:hunter2@localhost:8000"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://localhost:99999"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://localhost:8000/path"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://localhost:8000/?"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://localhost:8000#"}, "endpoint is http:// or https://"),
        ({"endpoint": "http://localhost\r\nX: y"}, "endpoint is http:// or https://"),
        ({"region": "https://dynamodb.eu-west-1.amazonaws.com"}, "region is a region's name, eu-west-1 say"),
        ({"region": "eu-west-1\n"}, "region is a region's name, eu-west-1 say"),
        ({"transport": "boto"}, "'transport' must be in"),
        ({"prefix": "a b"}, "prefix is up to 200 letters"),
        ({"connect_timeout": 0}, "connect_timeout is a number from 0.01 to 600"),
        ({"read_timeout": float("nan")}, "read_timeout is a number from 0.01 to 600"),
        ({"max_connections": 0}, "max_connections is a number from 1 to 4096"),
        ({"pool_timeout": -1}, "pool_timeout is a number from 0 to 600"),
        ({"billing": "free"}, "'billing' must be in"),
        ({"read_units": 0}, "read_units is a number from 1 to"),
        ({"access_key_id": "hunter2"}, "given together or not at all"),
        ({"session_token": "hunter2"}, "needs access_key_id"),
        ({**KEYS, "profile": "p"}, "exclude each other"),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
    ],
)
def test_values_that_are_not_allowed_are_refused_with_the_allowed_ones(options: dict[str, Any], reason: str) -> None:
    """Each option says what it takes; no message repeats what may be a secret."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read("dynamodb://eu-west-1/", **options)
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """The options can be printed."""
    shown = repr(Options(**KEYS))
    assert [name for name in KEYS.values() if name in shown] == []


def test_a_wrong_url_names_the_choices_when_a_database_is_opened() -> None:
    """All problems come at once, without the secrets beside them."""
    url = "dynamodb://eu-west-1/?transport=boto&max_connections=many&access_key_id=x&secret_access_key=hunter2"
    with pytest.raises(ConfigurationError) as caught:
        isthmus.connect(url)
    assert caught.value.problems == (
        "URL: dynamodb.transport expects one of fast, boto3, not this text",
        "URL: dynamodb.max_connections expects a whole number, not this text",
    )


def test_numbers_are_read_from_a_url() -> None:
    """A database opens with options in its URL; no server is asked."""
    url = "dynamodb://eu-west-1/?max_connections=3&read_timeout=2.5&access_key_id=x&secret_access_key=y"
    with isthmus.connect(url) as database:
        config = database.native().meta.config
    assert (config.max_pool_connections, config.read_timeout) == (3, 2.5)
