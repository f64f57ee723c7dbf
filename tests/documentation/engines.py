"""Pages that need a server: which one, and what their blocks have in the place of its address.

A page names its engines in a line ``<!-- engines: dynamodb mongodb -->``. Its blocks are written for servers on the
usual local ports; before a block is executed, the address of the engine that the tests have takes their place. Each
run of a page has a store of its own there, which is emptied at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from attrs import evolve, frozen

import isthmus
from isthmus_engines.kinds import Kind
from tests.documentation.blocks import Block

if TYPE_CHECKING:
    from isthmus_engines.kinds import Running

MARK = re.compile(r"^<!-- engines: ([a-z_ ]+) -->$", re.MULTILINE)
PLACES: dict[Kind, str] = {
    "dynamodb": "http://localhost:8000",
    "mongodb": "localhost:27017/shop",
    "mongodb_standalone": "localhost:27018/shop",
}
"""What pages write for the address of an engine."""
_OWNER = "access_key_id=local"


@frozen
class Stand:
    """A store on an engine, for one run of a page.

    :param replaced: what stands in the page, and what comes in its place
    :param url: of the store
    """

    replaced: dict[str, str]
    url: str

    def clear(self) -> None:
        """Drop what the page has left."""
        with isthmus.connect(self.url) as database:
            if self.url.startswith("mongodb"):
                client = database.native()
                client.drop_database(urlsplit(self.url).path[1:])
                return
            for name in database.tables.list():
                database.tables.drop(name)


def placed(block: Block, found: Iterable[Stand]) -> Block:
    """The block with the addresses of engines."""
    text = block.text
    for stand in found:
        for written, actual in stand.replaced.items():
            text = text.replace(written, actual)
    return evolve(block, text=text)


def engines_of(page: Path) -> list[Kind]:
    """The engines that a page names.

    :raises ValueError: there is no such engine, or a page can't have it
    """
    found = [name for names in MARK.findall(page.read_text("utf-8")) for name in names.split()]
    unknown = [name for name in found if name not in PLACES or name not in get_args(Kind)]
    if unknown:
        raise ValueError(f"{page}: no engine {unknown[0]!r} for pages, use {', '.join(PLACES)}")
    return cast("list[Kind]", found)


def stands(page: Path, running: Callable[[Kind], Running]) -> Iterator[Stand]:
    """A store of its own on each engine that a page names."""
    for kind in engines_of(page):
        yield store(kind, running(kind).url)


def store(kind: Kind, url: str) -> Stand:
    """A store of its own on an engine that runs.

    :param url: of the engine
    """
    return (_dynamodb if kind == "dynamodb" else _mongodb)(kind, url)


def _dynamodb(kind: Kind, url: str) -> Stand:
    # DynamoDB Local keeps the tables of different access keys apart.
    endpoint, owner = parse_qs(urlsplit(url).query)["endpoint"][0], f"access_key_id=docs{uuid4().hex[:12]}"
    own = f"dynamodb://eu-west-1/?endpoint={endpoint}&{owner}&secret_access_key=local"
    return Stand({PLACES[kind]: endpoint, _OWNER: owner}, own)


def _mongodb(kind: Kind, url: str) -> Stand:
    host = f"{urlsplit(url).netloc}/docs{uuid4().hex[:12]}"
    return Stand({PLACES[kind]: host}, f"mongodb://{host}")
