"""Whose requests they are: missing, refreshed, expired and rotated credentials, and clocks that differ."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from isthmus.errors import ConfigurationError, Unauthenticated
from isthmus_dynamodb.native import ServiceError
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.configuration import open_access
from plugins.dynamodb.tests.servers import (
    Handler,
    Together,
    answer,
    by_tasks,
    by_threads,
    calling,
    read_request,
    serving,
)

FROM_AWS = {"access_key_id": None, "secret_access_key": None}


@pytest.fixture(autouse=True)
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for an AWS configuration; nothing of the real one is seen."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


PROCESS = """
import datetime, json, pathlib, sys
folder, seconds = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
number = len(list(folder.glob("made-*")))
(folder / f"made-{number}").touch()
end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds[min(number, len(seconds) - 1)])
print(json.dumps({"Version": 1, "AccessKeyId": f"KEY{number}", "SecretAccessKey": "s", "SessionToken": f"token{number}",
                  "Expiration": end.isoformat()}))
"""


@pytest.fixture
def process(aws: Path) -> Callable[..., None]:
    """Configures a program that gives new credentials each time, which last as many seconds."""

    def configure(*seconds: float) -> None:
        (aws / "process.py").write_text(PROCESS)
        command = f"{sys.executable} {aws / 'process.py'} {aws} {json.dumps(list(seconds), separators=(',', ':'))}"
        (aws / "config").write_text(f"[default]\ncredential_process = {command}\n")

    return configure


def accepting(*keys: str, seen: list[tuple[str, str]]) -> Handler:
    """Accepts these access keys only, and notes key and token of each request."""

    def handle(sock: socket.socket) -> None:
        while request := read_request(sock).decode():
            key = re.search(r"Credential=([^/]+)/", request)
            token = re.search(r"X-Amz-Security-Token: (\S+)", request)
            seen.append((key[1] if key else "", token[1] if token else ""))
            sock.sendall(answer() if seen[-1][0] in keys else EXPIRED)

    return handle


EXPIRED = answer(
    b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}', status="400 Bad Request"
)


def test_credentials_are_refreshed_before_they_expire(process: Callable[..., None], mode: str) -> None:
    """Those that end soon are replaced before a request is signed with them."""
    process(5.0, 36_000.0)
    seen: list[tuple[str, str]] = []
    with serving(accepting("KEY1", seen=seen)) as server, calling(mode, server.url, **FROM_AWS) as call:
        assert [call() for _ in range(3)] == [{}] * 3
    assert seen == [("KEY1", "token1")] * 3


def test_a_request_with_an_expired_token_is_sent_once_more(process: Callable[..., None], mode: str) -> None:
    """When the service says so, the credentials are read anew and the request is repeated."""
    process(36_000.0)
    seen: list[tuple[str, str]] = []
    with serving(accepting("KEY1", seen=seen)) as server, calling(mode, server.url, **FROM_AWS) as call:
        assert [call() for _ in range(2)] == [{}] * 2
    assert seen == [("KEY0", "token0"), ("KEY1", "token1"), ("KEY1", "token1")]


def test_an_expired_token_without_a_new_one_is_refused(process: Callable[..., None], mode: str) -> None:
    """There is one repetition, and then the service's error."""
    process(36_000.0)
    seen: list[tuple[str, str]] = []
    with serving(accepting(seen=seen)) as server, calling(mode, server.url, **FROM_AWS) as call:
        with pytest.raises(ServiceError) as caught:
            call()
        assert caught.value.code == "ExpiredTokenException"
    assert [key for key, _ in seen] == ["KEY0", "KEY1"]


def test_a_credentials_file_that_changed_is_read_again(aws: Path, mode: str) -> None:
    """Static keys that another program rotates are picked up when the old ones are refused."""
    file = aws / "credentials"
    file.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = s\n")
    seen: list[tuple[str, str]] = []
    with serving(accepting("NEW", seen=seen)) as server, calling(mode, server.url, **FROM_AWS) as call:
        file.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = s\n")
        assert call() == {}
    assert seen == [("OLD", ""), ("NEW", "")]


def test_credentials_of_the_options_are_never_replaced(mode: str) -> None:
    """What the options say is used and nothing else."""
    seen: list[tuple[str, str]] = []
    options = {"access_key_id": "OWN", "session_token": "t"}
    with (
        serving(accepting(seen=seen)) as server,
        calling(mode, server.url, **options) as call,
        pytest.raises(ServiceError),
    ):
        call()
    assert seen == [("OWN", "t")]


@pytest.mark.parametrize("transport", ["fast", "boto3"])
def test_no_credentials_are_told_at_once(transport: str) -> None:
    """Opening names what can be configured."""
    options = Options(region="eu-west-1", transport=transport)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated, match=r"set AWS_ACCESS_KEY_ID .* profile, or give access_key_id"):
        open_transport(options)


def test_a_program_that_gives_no_credentials_is_told(aws: Path) -> None:
    """A source that fails is not taken for one that has none."""
    (aws / "config").write_text("[default]\ncredential_process = false\n")
    with pytest.raises(Unauthenticated, match=r"could not be had \(CredentialRetrievalError\)"):
        open_transport(Options(region="eu-west-1"))


def test_a_program_that_fails_later_is_told(process: Callable[..., None], aws: Path, mode: str) -> None:
    """A refresh that fails ends the call as unauthenticated."""
    process(-1.0)
    seen: list[tuple[str, str]] = []
    with serving(accepting("KEY0", seen=seen)) as server, calling(mode, server.url, **FROM_AWS) as call:
        (aws / "process.py").write_text("raise SystemExit(1)")
        with pytest.raises(Unauthenticated, match="could not be had"):
            call()
    assert seen == []


def test_a_profile_is_chosen(aws: Path) -> None:
    """The option names one of several; an unknown one is told."""
    (aws / "credentials").write_text(
        "[a]\naws_access_key_id = A\naws_secret_access_key = s\n[b]\naws_access_key_id = B\naws_secret_access_key = s\n"
    )
    seen: list[tuple[str, str]] = []
    with serving(accepting("B", seen=seen)) as server, calling("sync", server.url, profile="b", **FROM_AWS) as call:
        call()
    assert seen == [("B", "")]
    with pytest.raises(ConfigurationError, match="check the option profile"):
        open_transport(Options(region="eu-west-1", profile="c"))


def test_no_region_is_told() -> None:
    """A URL without a region and no configured one can't be opened."""
    with pytest.raises(ConfigurationError, match="there is no region: write dynamodb://eu-west-1/"):
        open_transport(Options(access_key_id="x", secret_access_key="y"))


def test_an_endpoint_of_the_aws_configuration_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What botocore can't use is a problem of the configuration."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "nonsense")
    with pytest.raises(ConfigurationError, match="the AWS configuration can't be used: Invalid endpoint: nonsense"):
        open_transport(Options(region="eu-west-1", access_key_id="x", secret_access_key="y"))


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "https://dynamodb-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "https://dynamodb.us-east-1.api.aws"),
    ],
)
def test_the_kind_of_endpoint_of_the_aws_configuration_is_used(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoints are worked out by botocore's rules."""
    monkeypatch.setenv(variable, "true")
    options = Options(region="us-east-1", access_key_id="x", secret_access_key="y")
    assert open_access(options).endpoint.url == url


def test_the_region_of_the_aws_configuration_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the URL names none."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    transport = open_transport(Options(access_key_id="x", secret_access_key="y"))
    assert transport.client.meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com"
    transport.close()


def clock_ahead(by: timedelta, seen: list[bool], before_refusal: Callable[[], object] = lambda: None) -> Handler:
    """A service whose clock is ahead; it refuses what is signed more than five minutes from its own time."""

    def handle(sock: socket.socket) -> None:
        while request := read_request(sock).decode():
            date = re.search(r"X-Amz-Date: (\S+)", request)
            signed = datetime.strptime(date[1] if date else "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            now = datetime.now(UTC) + by
            right = abs(now - signed) < timedelta(minutes=5)
            seen.append(right)
            refusal = json.dumps({"__type": "x#InvalidSignatureException", "message": "Signature expired"}).encode()
            header = f"Date: {format_datetime(now, usegmt=True)}"
            if not right:
                before_refusal()
            sock.sendall(answer() if right else answer(refusal, header, status="400 Bad Request"))

    return handle


@pytest.mark.parametrize("hours", [-30, 2])
def test_a_clock_that_differs_is_corrected(mode: str, hours: int) -> None:
    """After one refusal all requests are signed with the service's time."""
    seen: list[bool] = []
    with serving(clock_ahead(timedelta(hours=hours), seen)) as server, calling(mode, server.url) as call:
        assert [call() for _ in range(3)] == [{}] * 3
    assert seen == [False, True, True, True]


@pytest.mark.parametrize("together", [by_threads, by_tasks])
def test_a_clock_that_differs_is_corrected_for_all_at_once(together: Together) -> None:
    """Calls that were refused while another one corrected the clock are repeated too."""
    arrived, seen = threading.Barrier(4), list[bool]()
    refused = clock_ahead(timedelta(hours=1), seen, before_refusal=lambda: arrived.wait(60))
    with serving(refused) as server:
        transport = open_transport(Options(endpoint=server.url, region="x", access_key_id="x", secret_access_key="y"))
        assert together(transport, 4) == [{}] * 4
        transport.close()
    assert sorted(seen) == [False] * 4 + [True] * 4


def test_a_wrong_secret_is_not_taken_for_a_clock_that_differs(mode: str) -> None:
    """A refused signature at the right time is an error at once."""
    seen: list[float] = []

    def handle(sock: socket.socket) -> None:
        while read_request(sock):
            seen.append(time.time())
            date = f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}"
            sock.sendall(answer(b'{"__type":"x#InvalidSignatureException"}', date, status="400 Bad Request"))

    with serving(handle) as server, calling(mode, server.url) as call:
        with pytest.raises(ServiceError) as caught:
            call()
        assert caught.value.code == "InvalidSignatureException"
    assert len(seen) == 1
