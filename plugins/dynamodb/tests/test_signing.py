"""Own signatures are the ones that botocore makes."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import Unauthenticated
from isthmus_dynamodb.transports.endpoints import Endpoint
from isthmus_dynamodb.transports.signing import Signer

_TEXT = st.text(string.ascii_letters + string.digits + "+/=%{}", min_size=1, max_size=40)
_URLS = st.sampled_from(
    ["https://dynamodb.eu-west-1.amazonaws.com", "http://localhost:8000", "https://[::1]:9", "http://h:80"]
)
_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001  # Hypothesis wants them naive
FIXED = 1_800_000_000.0


def headers_of(message: bytes) -> dict[str, str]:
    """The header lines of a request."""
    lines = message.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


def botocore_signature(url: str, message: bytes, credentials: Credentials, region: str, at: datetime) -> str:
    """The header ``Authorization`` that botocore gives the same request at the same time."""
    wanted = ("Content-Type", "X-Amz-Target")
    headers = {name: value for name, value in headers_of(message).items() if name in wanted}
    request = AWSRequest("POST", f"{url}/", headers, message.partition(b"\r\n\r\n")[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: at)
        auth.SigV4Auth(credentials, "dynamodb", region).add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@given(_URLS, _TEXT, _TEXT, st.none() | _TEXT, st.sampled_from(["eu-west-1", "x"]), st.binary(max_size=200), _TIMES)
def test_signatures_equal_those_of_botocore(
    url: str, key: str, secret: str, token: str | None, region: str, body: bytes, at: datetime
) -> None:
    """Any credentials, endpoint, body and time give botocore's signature."""
    at = at.replace(tzinfo=UTC)
    credentials = Credentials(key, secret, token)
    signer = Signer(Endpoint.of(url), region, "dynamodb", at.timestamp)
    message = signer.message(credentials.get_frozen_credentials(), "GetItem", body)
    assert headers_of(message)["Authorization"] == botocore_signature(url, message, credentials, region, at)


def test_one_signer_follows_changes_of_time_and_credentials() -> None:
    """What a signer keeps never outlives its day or its credentials."""
    now = [FIXED]
    signer = Signer(Endpoint.of("http://localhost:8000"), "eu-west-1", "dynamodb", lambda: now[0])
    pairs = []
    for seconds, key in ((0.0, "a"), (1.0, "a"), (0.0, "b"), (86_400.0, "b"), (0.0, "a")):
        now[0] += seconds
        credentials = Credentials(key, "secret", None)
        message = signer.message(credentials.get_frozen_credentials(), "PutItem", b"{}")
        at = datetime.fromtimestamp(now[0], UTC)
        wanted = botocore_signature("http://localhost:8000", message, credentials, "eu-west-1", at)
        pairs.append((headers_of(message)["Authorization"], wanted))
    assert [own for own, _ in pairs] == [wanted for _, wanted in pairs]


def test_the_services_clock_counts() -> None:
    """A known difference of the clocks is added to the time of signing."""
    signer = Signer(Endpoint.of("http://localhost:8000"), "eu-west-1", "dynamodb", lambda: FIXED)
    signer.skew = 3600.0
    message = signer.message(Credentials("a", "b").get_frozen_credentials(), "GetItem", b"{}")
    assert headers_of(message)["X-Amz-Date"] == "20270115T090000Z"


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "a b", "\u00e9"])
def test_credentials_that_no_header_can_hold_are_refused(key: str) -> None:
    """A line break in a key can't become a header of its own."""
    signer = Signer(Endpoint.of("http://localhost:8000"), "eu-west-1", "dynamodb")
    with pytest.raises(Unauthenticated, match="holds a character that can't be sent"):
        signer.message(Credentials(key, "b").get_frozen_credentials(), "GetItem", b"{}")
