"""What plans exchange with the driver: calls of PyMongo, whose sync and async clients use the same names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Self

from attrs import field, frozen
from bson.binary import Binary
from bson.raw_bson import RawBSONDocument

_NOTHING: Mapping[str, Any] = {}


class MadeCollection(str):
    """The name of a collection, and which one of that name is meant: one that was made anew is another one.

    A write that could create a collection carries the id, so that none comes back after a drop by another process.

    :param uuid: the server's id of the collection
    """

    __slots__ = ("uuid",)
    uuid: Binary

    def __new__(cls, name: str, uuid: Binary) -> Self:
        made = super().__new__(cls, name)
        made.uuid = uuid
        return made


def pinned_to(collection: str) -> dict[str, Any]:
    """What a command says about the collection that it means."""
    return {"collectionUUID": collection.uuid} if type(collection) is MadeCollection else {}


@frozen
class Call:
    """One call of a collection's method, answered by what it returns; a cursor is read to its end, as a list.

    :param collection: the collection's own name, in the database of the URL
    :param method: ``"find_one"``, ``"insert_one"``, ``"find_one_and_update"``, ``"find"``, … of PyMongo's collections
    """

    collection: str
    method: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default=_NOTHING)


@frozen
class Command:
    """One command of the URL's database, ``{"create": "orders"}`` say; answered by the server's document."""

    command: Mapping[str, Any]


@frozen
class RawDocuments:
    """One command that reads, ``find`` or ``aggregate``; answered by the bytes of the documents in its first batch."""

    command: Mapping[str, Any]


def raw_documents(answer: Mapping[str, Any]) -> list[bytes]:
    """The documents of an answer that was left as it is."""
    return [document.raw for document in answer["cursor"]["firstBatch"]]


@frozen
class Replacements:
    """Put documents in the place of those with their keys, or where there are none; not atomic, in no order.

    :param updates: of the server's command ``update``, each encoded already
    """

    collection: str
    updates: Sequence[RawBSONDocument]


@frozen
class Insertions:
    """Store documents whose keys are not taken; not atomic, in no order.

    :param documents: each encoded already
    """

    collection: str
    documents: Sequence[RawBSONDocument]


@frozen
class InSession:
    """Carry out a plan of its own inside a session, answered by what that plan returns.

    The session ends with the plan, however it ends: a transaction that was not committed is aborted.

    :param plan: yields ``Call`` and ``Commit``
    :param snapshot: whether all reads are as of one moment; otherwise there is a transaction, at once started
    """

    plan: Callable[[], Generator[Any, Any, Any]]
    snapshot: bool = False


@frozen
class Shared:
    """Carry out a plan whose result callers share: while one of them is at it, others wait and then begin.

    :param plan: only reads; asks for nothing when it finds what another caller has just read, and for nothing shared
    """

    plan: Callable[[], Generator[Any, Any, Any]]


@frozen
class Commit:
    """Commit the transaction of the session; may be repeated when its outcome is unknown."""


@frozen
class Settle:
    """Abort the transaction of the session, whose commit got no answer; answered by ``"aborted"`` or ``"committed"``.

    Where the server can't tell in a short time, by ``"unknown"``.
    """
