"""The URLs of engines."""

from __future__ import annotations

import pytest

from isthmus_engines.kinds import dynamodb_url, mongodb_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("mongodb://127.0.0.1:1/?replicaSet=rs0", "mongodb://127.0.0.1:1/test?replicaSet=rs0"),
        ("mongodb://a:1,b:2", "mongodb://a:1,b:2/test"),
        ("mongodb://127.0.0.1:1/shop?replicaSet=rs0", "mongodb://127.0.0.1:1/shop?replicaSet=rs0"),
    ],
)
def test_a_mongodb_url_names_a_database(address: str, url: str) -> None:
    """The one of the address, or `test`."""
    assert mongodb_url(address) == url


def test_an_endpoint_becomes_a_dynamodb_url() -> None:
    """With a region and credentials, which nothing checks but the driver wants."""
    options = "endpoint=http://127.0.0.1:8000&access_key_id=local&secret_access_key=local"
    assert dynamodb_url("http://127.0.0.1:8000") == f"dynamodb://eu-west-1/?{options}"


def test_a_dynamodb_url_stays_as_it_is() -> None:
    """Tests can run against another region or account."""
    assert dynamodb_url("dynamodb://us-east-1/") == "dynamodb://us-east-1/"
