"""The kinds of engines, what is known of a running one, and the URLs that reach it."""

from __future__ import annotations

from typing import Literal, get_args
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import frozen

Kind = Literal["mongodb", "mongodb_standalone", "mongodb_set", "dynamodb", "moto"]
"""``mongodb`` is a replica set of one, ``mongodb_set`` one of three."""

KINDS: tuple[Kind, ...] = get_args(Kind)
VARIABLES: dict[Kind, str] = {
    "mongodb": "ISTHMUS_ENGINE_MONGODB_URL",
    "mongodb_standalone": "ISTHMUS_ENGINE_MONGODB_STANDALONE_URL",
    "mongodb_set": "ISTHMUS_ENGINE_MONGODB_SET_URL",
    "dynamodb": "ISTHMUS_ENGINE_DYNAMODB_URL",
    "moto": "ISTHMUS_ENGINE_MOTO_URL",
}
"""The variables that name a server which runs already."""
REGION = "eu-west-1"
CREDENTIAL = "local"


@frozen
class Running:
    """An engine that runs.

    :param url: what ``isthmus.connect`` takes
    :param address: what a driver takes: a MongoDB URL, or the endpoint of DynamoDB
    :param process_ids: of its servers; empty for one that ran already
    """

    kind: Kind
    url: str
    address: str
    process_ids: tuple[int, ...] = ()


def running_at(kind: Kind, address: str, process_ids: tuple[int, ...] = ()) -> Running:
    """The engine of that kind at an address."""
    url = mongodb_url(address) if kind.startswith("mongodb") else dynamodb_url(address)
    return Running(kind, url, address, process_ids)


def mongodb_url(address: str) -> str:
    """The URL of a database on a MongoDB server: the address, with the database ``test`` unless it names another."""
    parts = urlsplit(address)
    return address if parts.path.strip("/") else urlunsplit(parts._replace(path="/test"))


def dynamodb_url(address: str) -> str:
    """The URL for an endpoint that checks no credentials; a ``dynamodb:`` URL is given back as it is."""
    if address.startswith("dynamodb:"):
        return address
    options = {"endpoint": address, "access_key_id": CREDENTIAL, "secret_access_key": CREDENTIAL}
    return f"dynamodb://{REGION}/?{urlencode(options, safe=':/')}"
