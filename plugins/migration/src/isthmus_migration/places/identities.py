"""Which places are one and the same, however they are spelled."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from attrs import field, frozen

from isthmus.redaction import HIDDEN

if TYPE_CHECKING:
    from isthmus.database import Database

_FOLDER: Final = "folder"
_MONGODB_PORT: Final = 27_017
_PORTS: Final = {"http": 80, "https": 443}


def _texts(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(texts)


@frozen
class Identity:
    """What tells a place from others.

    :param kind: the backend's name, or ``folder``
    :param addresses: two places of a kind are one where they share any of these
    :param space: what is apart from others at one address: a database, a region with its account
    :param prefix: what stands before the names of tables, so that two places may share a space and no table
    """

    kind: str
    addresses: frozenset[str] = field(converter=_texts, repr=False)
    space: str = field(default="", repr=False)
    prefix: str = ""

    def same(self, other: Identity) -> bool:
        """Whether both are one store, apart from prefixes."""
        return (self.kind, self.space) == (other.kind, other.space) and bool(self.addresses & other.addresses)

    @property
    def paths(self) -> list[Path]:
        """Where on a disk it is; none for what is no folder and no file."""
        found = map(Path, self.addresses if self.kind in (_FOLDER, "sqlite") else ())
        return [path for path in found if path.is_absolute()]

    def holds(self, path: Path) -> bool:
        """Whether it is a folder, and a path, free of links, lies in it or is it."""
        return self.kind == _FOLDER and any(path.is_relative_to(own) for own in self.paths)

    def stored_name(self, table: str) -> str:
        """What a table is called in the store."""
        return self.prefix + table


def folder_identity(folder: str) -> Identity:
    """The identity of a folder, whatever links lead to it."""
    return Identity(_FOLDER, (os.path.realpath(folder),))


def database_identity(database: Database, url: str) -> Identity:
    """The identity of an opened database.

    :param url: what it was opened with; nothing of it that is secret gets into the identity as it is
    """
    parts = urlsplit(url)
    known = _KNOWN.get(database.backend_name)
    if known is not None:
        return known(database, parts)
    # What lives in a process's memory is another one each time.
    own = f"{id(database.backend)}" if not (parts.netloc or parts.path.strip("/")) else f"{parts.netloc}{parts.path}"
    return Identity(database.backend_name, (own,))


def _option(parts: SplitResult, name: str) -> str:
    found = parse_qs(parts.query).get(name)
    return found[-1] if found else ""


# ---- SQLite: a file ----


def _sqlite(database: Database, parts: SplitResult) -> Identity:
    path = file_of(parts)
    if path is None:
        return Identity("sqlite", (f"memory {id(database.backend)}",))
    return Identity("sqlite", _file_names(path))


def file_of(parts: SplitResult) -> Path | None:
    """The file that a SQLite URL names, found as the backend finds it; ``None`` for a database in memory."""
    path = unquote(parts.path.removeprefix("/"))
    return Path(os.path.abspath(path)) if path else None  # noqa: PTH100  # Path.absolute() keeps ".."


def _file_names(path: Path) -> Iterable[str]:
    """A file by its place, and by what it is: a hard link is the same file at another place."""
    yield os.path.realpath(path)
    with suppress(OSError):
        found = path.stat()
        yield f"{found.st_dev}:{found.st_ino}"


# ---- MongoDB: servers ----


def _mongodb(database: Database, parts: SplitResult) -> Identity:
    client: Any = database.native()
    addresses = {*_processes(client), *_hosts(client), *_named_hosts(parts)}
    return Identity("mongodb", addresses, unquote(parts.path[1:]), _option(parts, "prefix"))


def _processes(client: Any) -> Iterable[str]:
    """What the server says of itself, which is the same through any name, tunnel or port."""
    told: Any = {}
    with suppress(Exception):  # whoever may not ask is known by its addresses
        told = client.admin.command("hello")
    if "processId" in told.get("topologyVersion", {}):
        yield f"process {told['topologyVersion']['processId']}"
    for host in told.get("hosts", ()):
        yield from _resolved(*_host_and_port(host))


def _hosts(client: Any) -> Iterable[str]:
    for host, port in client.nodes:
        yield from _resolved(host, port)


def _named_hosts(parts: SplitResult) -> Iterable[str]:
    for host in parts.netloc.rpartition("@")[2].split(","):
        yield from _resolved(*_host_and_port(host))


def _host_and_port(text: str) -> tuple[str, int]:
    host, mark, port = text.rpartition(":")
    return (host, int(port)) if mark and port.isdigit() else (text, _MONGODB_PORT)


def _resolved(host: str, port: int | None) -> Iterable[str]:
    """An address in each of its spellings."""
    yield f"{host.lower()}:{port}"
    with suppress(OSError, UnicodeError):
        for *_kind, address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
            yield f"{address[0]}:{port}"


# ---- DynamoDB: an endpoint, a region and who calls ----


def _dynamodb(database: Database, parts: SplitResult) -> Identity:
    region, url = parts.netloc.lower(), _option(parts, "endpoint")
    if not (region and url.startswith("http")):
        # Only the AWS configuration knows the rest; its reader takes long to load.
        meta = database.native().meta
        region, url = meta.region_name, meta.endpoint_url
    endpoint = urlsplit(url)
    port = endpoint.port or _PORTS.get(endpoint.scheme, 0)
    # Accounts are apart, and callers of a local service too; a caller's name is no business of anybody else.
    caller = f"{_option(parts, 'profile')} {_option(parts, 'access_key_id')}"
    if HIDDEN in caller:
        # The URL of a database that was given opened; its driver knows who calls, and says so nowhere else.
        signer = getattr(database.native(), "_request_signer", None)
        caller = f" {getattr(getattr(signer, '_credentials', None), 'access_key', '')}"
    space = f"{region} {sha256(caller.encode()).hexdigest()[:16]}"
    return Identity("dynamodb", _resolved(endpoint.hostname or "", port), space, _option(parts, "prefix"))


_KNOWN: Final[dict[str, Callable[[Database, SplitResult], Identity]]] = {
    "sqlite": _sqlite, "mongodb": _mongodb, "dynamodb": _dynamodb,
}  # fmt: skip
