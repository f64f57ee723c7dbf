"""What a backend offers so that the core can run transactions over it: reads and swaps of single physical items.

A physical item is a portable item with two hidden attributes besides its own:

- ``__rev``: bytes, or text; new for every write, never used before, never copied or counted. Items that another program
  wrote have none.
- ``__tx``: only while a transaction holds the item; a map with at least ``id`` (text) and ``try`` (bytes).

The native expiry of a physical item is that of its attribute ``table.ttl`` at the top level: an item without it does
not expire. Reads see expired items as long as the store holds them.

Requirements. A backend that declares an ``item_store`` promises:

- S1: a read sees every write that was acknowledged before it began.
- S2: a swap of one item is atomic, and a reply says definitely whether it was done.
- S3: acknowledged writes survive a crash of the store; where not, what survives is a prefix of what it did.
- S4: a request is executed at most once: no driver, proxy or pool repeats a write.
- S5: the expiry of an item goes with its attribute ``table.ttl``; a swap can take it off and put it back.
- S6: a physical item may have ``item_bytes``, both images of a locked item together.
- S7: nothing refuses an item that the core has judged: no unique index, no schema validator; see ``admit``.
- S8: the table of records can be scanned.

Besides, every write that the backend carries out natively gives the item a new ``__rev`` and is refused on an item with
``__tx``, in one atomic step.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from typing import Any, Final, Literal, TypeVar

from attrs import field, frozen

from isthmus.errors import Conflict
from isthmus.operations import ItemKey, Operation
from isthmus.schema import Table
from isthmus.values import Item

REV: Final = "__rev"
LOCK: Final = "__tx"

T = TypeVar("T")
StorePlan = Generator[Any, Any, T]
"""Yields native requests, is sent their answers, returns a ``T``."""


class _Lost(Enum):
    LOST = "lost"

    def __bool__(self) -> bool:
        return False


LOST: Final = _Lost.LOST
"""A swap's answer never came: it was applied, was not, or will be later. It counts as false."""

Answer = bool | Literal[_Lost.LOST]


@frozen
class Identity:
    """Which content a present item has: the same identity never comes back with other content.

    :param rev: its ``__rev``, if any
    :param lock: ``id`` and ``try`` of its ``__tx``, if it is locked
    """

    rev: bytes | str | None = None
    lock: tuple[str, bytes] | None = None


ABSENT: Final = None
"""The identity of an item that is not there."""


@frozen
class Place:
    """One item of a table, there or not.

    :param key: its key attributes, nothing else
    """

    table: Table
    key: ItemKey


@frozen
class Swap:
    """Put ``new``, or nothing, in the place of what has the identity ``expected``; else change nothing.

    :param expected: ``ABSENT`` requires that the store holds no item, not even an expired one
    :param new: a whole physical item with its key attributes, or ``None`` to remove it
    """

    place: Place
    expected: Identity | None
    new: Item | None


class Locked(Conflict):
    """A transaction holds the item that a native write met; nothing was applied. The core settles it, then repeats."""


class ItemStore(ABC):
    """Reads and swaps of physical items, planned once for the sync and the async transport.

    The methods that return a plan are generators that do no I/O: they yield native requests, which ``send`` or
    ``asend`` carries out. An error of the transport is raised where the plan stands. A plan may let it pass: the core
    asks the backend's ``translate_error`` about it, and takes ``maybe_applied`` as a lost answer. What a plan yields
    for one swap must go to the store once; the core alone decides what may be sent again.
    """

    native: frozenset[type[Operation]] = frozenset()
    """Kinds of operation on items that the backend answers itself, respecting locks; the core does the others.

    - ``Get``, ``GetMany``: an item with ``__tx`` is answered whole, with both hidden attributes; all others are
      answered as ever, without them.
    - ``Create``, ``Put``, ``Update``, ``Delete``: raise ``Locked`` on an item with ``__tx``, and write a new ``__rev``.
    - ``PutMany``, ``DeleteMany``: the same, as a ``Failure`` of that member with ``Locked`` as its error.
    - ``Query``, ``Scan``: a candidate with ``__tx`` is answered whole, with both hidden attributes, in its place in the
      order; it counts for ``limit``, but neither for the condition, which it need not meet, nor for ``Page.count``.
      Where only the count is asked for, ``Page.items`` holds such candidates alone.

    ``Query`` and ``Scan`` of the others are sent to the backend for physical items, with a condition that lets locked
    ones pass, no projection, and ``select="items"``.
    """

    bulk: bool = False
    """Whether ``swap_many`` sends its swaps together."""

    item_bytes: int = 16_000_000
    """Most bytes of a physical item, by the formula for items."""

    # ---- items ----

    @abstractmethod
    def read(self, place: Place) -> StorePlan[Item | None]:
        """The physical item, strongly read, or ``None``."""

    def read_many(self, places: Sequence[Place]) -> StorePlan[list[Item | None]]:
        """The physical items in request order. They need not be of one moment."""
        found: list[Item | None] = []
        for place in places:
            found += [(yield from self.read(place))]
        return found

    @abstractmethod
    def swap(self, swap: Swap) -> StorePlan[Answer]:
        """Whether it was done."""

    def swap_many(self, swaps: Sequence[Swap]) -> StorePlan[list[Answer]]:
        """Swaps of different items, each by itself, in any order; an obstacle to one must not hold up the others.

        Where the store doesn't tell what became of one, its answer is ``LOST``: the core then reads the item.
        """
        answers: list[Answer] = []
        for swap in swaps:
            answers += [(yield from self.swap(swap))]
        return answers

    def admit(self, table: Table) -> StorePlan[Table]:
        """The definition that the table is stored with, for use in transactions. Asked for each; may remember.

        :raises TableNotFound: there is none
        :raises SchemaMismatch: it has another key
        :raises UnsupportedOperation: the store could refuse a judged item (S7), or can't hold hidden attributes
        """
        yield from ()
        return table

    # ---- records ----

    @abstractmethod
    def create_records(self, table: Table) -> StorePlan[None]:
        """Make sure that the table of records exists; its ``ttl`` is their expiry.

        The core asks once for each open database, before the first record is written. Reads of it before that give
        ``None``, and ``scan_records`` nothing.
        """

    @abstractmethod
    def scan_records(self, table: Table, start: Item | None, limit: int) -> StorePlan[tuple[list[Item], Item | None]]:
        """At most ``limit`` records beyond ``start``, and where the next call starts, or ``None`` at the end."""

    # ---- transport ----

    @abstractmethod
    def send(self, request: Any, deadline: float | None) -> Any:
        """Carry out one native request, blocking.

        :param deadline: seconds on the monotonic clock
        """

    @abstractmethod
    async def asend(self, request: Any, deadline: float | None) -> Any:
        """Carry out one native request on an event loop."""

    def working(self) -> AbstractContextManager[Any]:
        """Entered for the time of each operation that the core answers: closing the backend waits for its end."""
        return nullcontext()


@frozen
class _Call:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@frozen
class BlockingItemStore(ItemStore):
    """An item store of plain functions that block, for simple backends.

    They raise errors of the tree or native ones. A native one that ``translate_error`` doesn't know, out of ``swap``,
    counts as a lost answer.

    :param get: gives the physical item of a place, or ``None``
    :param cas: carries out one swap, and tells whether it was done
    :param scan: gives records, as ``scan_records``
    :param create: makes sure that the table of records exists
    :param find: gives the definition that a table is stored with, as ``admit``; left out, what is declared is believed
    :param blocking: whether calls may wait, so that they need a thread beside an event loop
    """

    get: Callable[[Place], Item | None]
    cas: Callable[[Swap], bool]
    scan: Callable[[Table, Item | None, int], tuple[list[Item], Item | None]]
    create: Callable[[Table], None]
    find: Callable[[Table], Table] | None = None
    blocking: bool = True
    item_bytes: int = field(default=16_000_000, kw_only=True)

    def read(self, place: Place) -> StorePlan[Item | None]:
        found: Item | None = yield _Call(self.get, (place,))
        return found

    def swap(self, swap: Swap) -> StorePlan[Answer]:
        done: Answer = yield _Call(self.cas, (swap,))
        return done

    def admit(self, table: Table) -> StorePlan[Table]:
        if self.find is None:
            return table
        stored: Table = yield _Call(self.find, (table,))
        return stored

    def create_records(self, table: Table) -> StorePlan[None]:
        yield _Call(self.create, (table,))

    def scan_records(self, table: Table, start: Item | None, limit: int) -> StorePlan[tuple[list[Item], Item | None]]:
        found: tuple[list[Item], Item | None] = yield _Call(self.scan, (table, start, limit))
        return found

    def send(self, request: _Call, deadline: float | None) -> Any:
        return request.function(*request.arguments)

    async def asend(self, request: _Call, deadline: float | None) -> Any:
        if self.blocking:
            return await asyncio.to_thread(request.function, *request.arguments)
        return request.function(*request.arguments)
