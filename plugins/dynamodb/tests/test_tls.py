"""TLS: only a certificate that is valid, trusted and made out to the endpoint is accepted."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from isthmus.errors import ConfigurationError, Unavailable
from isthmus_dynamodb.native import NotSent
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.streaming import StreamConnection
from plugins.dynamodb.tests.servers import LIST_TABLES, LONGEST_WAIT, Server, calling, forwarding, options_of, serving

Front = Callable[[trustme.LeafCert], AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """The authority's certificate in a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def front(dynamodb_url: str) -> Front:
    """An HTTPS front of DynamoDB Local with a given certificate."""

    @contextmanager
    def start(certificate: trustme.LeafCert) -> Iterator[Server]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        with serving(forwarding(options_of(dynamodb_url).endpoint or "", context)) as server:
            server.url = f"https://localhost:{server.port}"
            yield server

    return start


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


@pytest.fixture(params=["fast", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    """Both transports."""
    return str(request.param)


def test_a_trusted_certificate_is_accepted(
    front: Front, authority: trustme.CA, bundle: str, mode: str, transport: str
) -> None:
    """Requests pass through TLS, one connection after the first."""
    with front(authority.issue_cert("localhost")) as server:
        with calling(mode, server.url, ca_bundle=bundle, transport=transport) as call:
            answers = [call() for _ in range(3)]
        assert [list(answer) for answer in answers] == [["TableNames"]] * 3
        assert server.connections == 1


def test_aws_ca_bundle_is_respected(
    front: Front, authority: trustme.CA, bundle: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that boto3 knows names the trusted certificates."""
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    with front(authority.issue_cert("localhost")) as server, calling(mode, server.url) as call:
        assert list(call()) == ["TableNames"]


def refusal(mode: str, url: str, transport: str, ca_bundle: str | None) -> Unavailable:
    """The error that a call ends with."""
    with calling(mode, url, transport=transport, ca_bundle=ca_bundle) as call, pytest.raises(Unavailable) as caught:
        call()
    return caught.value


def test_an_untrusted_certificate_is_refused(front: Front, authority: trustme.CA, mode: str, transport: str) -> None:
    """An authority that nobody named is not trusted; repeating the call would not help."""
    with front(authority.issue_cert("localhost")) as server:
        error = refusal(mode, server.url, transport, None)
    assert f"certificate of {server.url} is refused (unable to get local issuer certificate)" in str(error)
    assert (error.retryable, error.maybe_applied) == (False, False)


def test_an_expired_certificate_is_refused(
    front: Front, authority: trustme.CA, bundle: str, mode: str, transport: str
) -> None:
    """A certificate of a trusted authority counts only in its time."""
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    with front(authority.issue_cert("localhost", not_before=start, not_after=end)) as server:
        error = refusal(mode, server.url, transport, bundle)
    assert f"certificate of {server.url} is refused (certificate has expired)" in str(error)
    assert not error.retryable


def test_a_certificate_for_another_host_is_refused(
    front: Front, authority: trustme.CA, bundle: str, mode: str, transport: str
) -> None:
    """A certificate of a trusted authority counts only for its own names."""
    with front(authority.issue_cert("other.example")) as server:
        error = refusal(mode, server.url, transport, bundle)
    assert f"certificate of {server.url} is refused (" in str(error)
    assert re.search("Hostname mismatch|hostname 'localhost' doesn't match 'other.example'", str(error))
    assert not error.retryable


def test_old_versions_of_tls_are_refused(authority: trustme.CA, bundle: str, mode: str) -> None:
    """Below TLS 1.2 there is no connection."""
    certificate = authority.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(forwarding("http://127.0.0.1:1", context)) as server:
        url = f"https://localhost:{server.port}"
        with calling(mode, url, ca_bundle=bundle) as call, pytest.raises(NotSent, match="the TLS handshake failed"):
            call()


def test_a_server_without_tls_is_named(dynamodb_url: str, mode: str) -> None:
    """``https`` in front of a plain server is told apart from a server that is away."""
    url = (options_of(dynamodb_url).endpoint or "").replace("http:", "https:")
    with calling(mode, url) as call, pytest.raises(NotSent, match=f"{url} can't be reached.*the TLS handshake failed"):
        call()


def test_a_bundle_that_is_missing_is_a_configuration_error() -> None:
    """The path is named before any connection is made."""
    options = Options(region="eu-west-1", access_key_id="x", secret_access_key="y", ca_bundle="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=r"'/nowhere/ca.pem' can't be read"):
        open_transport(options)


def test_a_bundle_that_holds_no_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    """A file of something else is not taken for an empty list of authorities."""
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    options = Options(region="eu-west-1", access_key_id="x", secret_access_key="y", ca_bundle=str(path))
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        open_transport(options)


def test_a_cancelled_call_does_not_take_its_leave_of_the_server(
    authority: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is cancelled when its connection is just made closes it at once, though the server reads nothing."""
    made: list[socket.socket] = []
    over = threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def greet(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True):
            over.wait(LONGEST_WAIT)

    async def run(url: str) -> None:
        given = Options(endpoint=url, region="x", access_key_id="x", secret_access_key="y", ca_bundle=bundle)
        transport = open_transport(given)
        call = asyncio.ensure_future(transport.asend(LIST_TABLES, None))

        def cancel(connection: StreamConnection, inner: asyncio.BaseTransport) -> None:
            connected(connection, inner)
            made.append(inner.get_extra_info("socket"))
            call.cancel()

        monkeypatch.setattr(StreamConnection, "connection_made", cancel)
        await asyncio.wait([call])
        await asyncio.sleep(0)  # a transport closes its socket in a callback
        assert [sock.fileno() for sock in made] == [-1]
        await transport.aclose()

    connected = StreamConnection.connection_made
    with serving(greet) as server:
        try:
            asyncio.run(run(f"https://localhost:{server.port}"))
        finally:
            over.set()
