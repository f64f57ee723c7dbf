"""What ``isthmus demo --to`` starts for the bare name of an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isthmus_engines.shared import engine


@contextmanager
def mongodb() -> Iterator[str]:
    """The URL of a MongoDB server that runs inside the block.

    :raises EngineError: there is none, or it does not start
    """
    with engine("mongodb") as running:
        yield running.url


@contextmanager
def dynamodb() -> Iterator[str]:
    """The URL of DynamoDB Local, which runs inside the block.

    :raises EngineError: there is none, or it does not start
    """
    with engine("dynamodb") as running:
        yield running.url
