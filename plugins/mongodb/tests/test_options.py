"""What a URL may say, and what it may not."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus.errors import ConfigurationError
from isthmus_mongodb.options import PINNED, Options, read_options

URL = "mongodb://localhost:27017/shop"


def options_of(url: str = URL, **given: Any) -> Options:
    """What is read from a URL and options."""
    return read_options(urlsplit(url), given)


def test_the_driver_gets_servers_database_and_options() -> None:
    """With our defaults beneath those of the URL."""
    options = options_of("mongodb://user:p%40ss@a:1,b:2/shop", replicaset="rs0", maxPoolSize=5, tls=True)
    assert options.hosts == "a:1,b:2"
    assert options.database == "shop"
    assert options.uri == "mongodb://user:p%40ss@a:1,b:2/shop"
    assert options.settings == {
        "appName": "isthmus", "serverSelectionTimeoutMS": "15000", "waitQueueTimeoutMS": "10000", "replicaSet": "rs0",
        "maxPoolSize": "5", "tls": "true",
    }  # fmt: skip


def test_the_password_is_not_shown() -> None:
    """Not by the options' text."""
    assert "s3cr3t" not in repr(options_of("mongodb://user:s3cr3t@a/shop"))


@pytest.mark.parametrize("url", ["mongodb://localhost", "mongodb://localhost/"])
def test_a_url_without_a_database_says_what_to_write(url: str) -> None:
    """ConfigurationError with an example."""
    with pytest.raises(ConfigurationError, match="mongodb://localhost:27017/shop"):
        options_of(url)


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("mongodb:///shop", {}), ("mongodb://h/a.b", {}), ("mongodb://h/a/b", {}), ("mongodb://h/shop#x", {}),
        (URL, {"prefix": "a b"}), (URL, {"prefix": "x" * 65}), (URL, {"prefix": 5}), (URL, {"timeoutMS": "5"}),
    ],
)  # fmt: skip
def test_wrong_urls_and_options_are_refused(url: str, given: dict[str, Any]) -> None:
    """ConfigurationError."""
    with pytest.raises(ConfigurationError):
        options_of(url, **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("w", "1"), ("w", "0"), ("journal", "false"), ("readPreference", "secondary"), ("readConcernLevel", "local"),
        ("retryWrites", "false"), ("retryReads", True), ("maxAdaptiveRetries", 2),
    ],
)  # fmt: skip
def test_what_would_weaken_a_guarantee_is_refused(name: str, value: Any) -> None:
    """ConfigurationError that names the option."""
    with pytest.raises(ConfigurationError, match=name):
        options_of(**{name: value})


@pytest.mark.parametrize("name", PINNED)
def test_what_holds_anyway_may_be_written(name: str) -> None:
    """URLs from other programs work as they are."""
    assert options_of(**{name: PINNED[name]}) == options_of()


def test_a_misspelled_option_gets_a_hint() -> None:
    """ConfigurationError with the nearest one."""
    with pytest.raises(ConfigurationError, match="did you mean replicaSet"):
        options_of(replicSet="rs0")


def test_all_problems_are_told_at_once() -> None:
    """Each is one of ``problems``."""
    with pytest.raises(ConfigurationError) as raised:
        options_of("mongodb://localhost", w="1", prefix="?")
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize("query", ["maxPoolSize=many", "tls=perhaps", "authMechanism=NONE", "ssl=5"])
def test_values_that_the_driver_refuses_are_a_mistake_of_the_configuration(query: str) -> None:
    """ConfigurationError, without the password."""
    with pytest.raises(ConfigurationError) as raised:
        isthmus.connect(f"mongodb://user:s3cr3t@127.0.0.1:1/shop?serverSelectionTimeoutMS=100&{query}")
    assert "s3cr3t" not in str(raised.value)


def test_both_schemes_are_served() -> None:
    """``mongodb+srv`` asks the name service for the servers; a name that does not exist is told."""
    with pytest.raises(isthmus.errors.IsthmusError) as raised:
        isthmus.connect("mongodb+srv://isthmus.invalid/shop?serverSelectionTimeoutMS=100", timeout=1)
    assert "isthmus.invalid" in str(raised.value)


@pytest.mark.parametrize("sign", "/?#")
def test_a_password_that_is_not_encoded_is_not_repeated(sign: str) -> None:
    """ConfigurationError that says what to do, without any part of it."""
    with pytest.raises(ConfigurationError, match="percent-encode") as raised:
        isthmus.connect(f"mongodb://user:hunter2{sign}secret@h.invalid/shop")
    assert "hunter2" not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("database", ["local", "admin", "config"])
def test_databases_of_the_server_are_refused(database: str) -> None:
    """ConfigurationError."""
    with pytest.raises(ConfigurationError, match="belongs to the server"):
        options_of(f"mongodb://h/{database}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"maxPoolSize": "5", "maxpoolsize": "0"}, "maxpoolsize is given twice"),
        ({"compressors": "zlib,foo"}, "compressors"),
        ({"replicaSet": ""}, "replicaSet"),
        ({"j": "false"}, "did you mean journal"),
    ],
)
def test_details_of_options(given: dict[str, Any], said: str) -> None:
    """ConfigurationError with what is wrong."""
    with pytest.raises(ConfigurationError, match=said):
        options_of(**given)


@pytest.mark.parametrize(("name", "value"), [("journal", "1"), ("w", "MAJORITY")])
def test_other_forms_of_what_holds_anyway_are_accepted(name: str, value: str) -> None:
    """They say the same."""
    assert options_of(**{name: value}) == options_of()


def test_a_missing_file_is_a_mistake_of_the_configuration() -> None:
    """ConfigurationError with its name."""
    with pytest.raises(ConfigurationError, match="no-such-file"):
        isthmus.connect("mongodb://127.0.0.1:1/shop?tlsCAFile=/no-such-file")


def test_properties_of_the_mechanism_are_secret() -> None:
    """A session token is among them."""
    assert "AWS_SESSION_TOKEN:x" in options_of(authMechanismProperties="AWS_SESSION_TOKEN:x").secrets
