"""The servers under measurement: those that the environment names, else started for the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from urllib.parse import parse_qs, urlsplit, urlunsplit

from attrs import frozen
from pymongo import MongoClient

from isthmus_engines import engine


@frozen
class Store:
    """An engine that runs.

    :param url: what Isthmus connects to
    :param target: what the peers connect to
    """

    url: str
    target: str


@contextmanager
def dynamodb() -> Iterator[Store]:
    """A local DynamoDB."""
    with engine("dynamodb") as running:
        yield Store(running.url, parse_qs(urlsplit(running.url).query)["endpoint"][0])


@contextmanager
def mongodb() -> Iterator[Store]:
    """A set of one MongoDB server, with a database that is dropped at the end."""
    with engine("mongodb") as running:
        name = f"isthmus_bench_{token_hex(4)}"
        target = urlunsplit(urlsplit(running.url)._replace(path=f"/{name}"))
        yield Store(target, target)
        with MongoClient[dict[str, object]](target) as client:
            client.drop_database(name)
