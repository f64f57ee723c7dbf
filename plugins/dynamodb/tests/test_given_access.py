"""A URL that says where the service is and who calls: the AWS configuration is not read, nor botocore loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.access import given_access

GIVEN = Options(region="eu-west-1", endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y")
LOADED = """
import sys
import isthmus
url = "dynamodb://eu-west-1/?endpoint=http://127.0.0.1:9&access_key_id=x&secret_access_key=y"
with isthmus.connect(url) as database:
    print("botocore" in sys.modules, database.native().meta.endpoint_url, "botocore" in sys.modules)
"""


def test_botocore_is_loaded_by_who_asks_for_its_client() -> None:
    """Opening takes no longer than it has to; the client is there for whoever wants it."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "http://127.0.0.1:9", "True"]


def test_the_client_is_made_once() -> None:
    """So that event hooks that somebody registers with it stay."""
    transport = open_transport(GIVEN)
    assert transport.client is transport.client
    transport.close()


def test_a_profile_that_nobody_has_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of it."""
    monkeypatch.setenv("AWS_PROFILE", "nobody's")
    open_transport(GIVEN).close()


@pytest.mark.parametrize(
    "options",
    [
        Options(endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y"),
        Options(region="eu-west-1", access_key_id="x", secret_access_key="y"),
        Options(region="eu-west-1", endpoint="http://127.0.0.1:9"),
        Options(region="eu-west-1", endpoint="https://127.0.0.1:9", access_key_id="x", secret_access_key="y"),
        Options(
            region="eu-west-1", endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y",
            transport="boto3",
        ),
    ],
    ids=["no region", "no endpoint", "no credentials", "certificates", "boto3"],
)  # fmt: skip
def test_what_options_leave_open_is_left_to_the_aws_configuration(options: Options) -> None:
    """Region, endpoint, credentials, certificates to trust."""
    assert given_access(options) is None
