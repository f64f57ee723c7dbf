"""Pages that are filled from several answers of the server: limits, look-ahead and guards.

The same rules as ``isthmus.pages.take_page``, for candidates that arrive in portions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from attrs import define, field

from isthmus.evaluate import predicate
from isthmus.operations import Paged
from isthmus.pages import Sieve, Stand, cutter, position_names, used_index
from isthmus.results import Page, Unreadable
from isthmus.values import Item, item_size
from isthmus_mongodb.layouts import TRANSACTION

# A page whose size is left to the backend ends about here.
PAGE_BYTES = 1_048_576
PAGE_ITEMS = 1_000
# Where only memory is to be bounded, the size of every so many items is enough.
_SAMPLED = 16


@define(eq=False)
class Filling:
    """A page that is being filled.

    An item that a transaction holds is taken as it is: the core chooses its image and judges that.

    :param operation: its condition is the part that the server did not judge
    """

    operation: Paged
    count: int = 0
    examined: int = 0
    size: int = 0
    held: int = 0
    full: bool = False
    _found: list[Item] = field(factory=list)
    _last: Item | None = None
    _sieve: Sieve | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sieve = Sieve.of(self.operation)

    def take(self, items: Iterable[Item | Unreadable]) -> None:
        """Look at further candidates until the page is full; what can't be read only where the scan reports it."""
        self._take(cast("Iterable[Item]", items) if self._sieve is None else self._sieve.through(items, _alone))

    def _take(self, items: Iterable[Item]) -> None:
        operation = self.operation
        accepts = predicate(operation.condition) if operation.condition is not None else None
        own_size = operation.limit is None and operation.select == "items"
        for item in items:
            matched = accepts is None or TRANSACTION in item or accepts(item)
            if self._exhausted(own_size) or (matched and self.count == operation.limit):
                self.full = True
                return
            self.examined += 1
            if matched:
                self._add(item, own_size)
            elif self.count != operation.limit:
                self._last = item

    def _add(self, item: Item, own_size: bool) -> None:
        self._last = item
        if self.operation.max_bytes is not None:
            self.size += item_size(item)
        elif own_size and self.count % _SAMPLED == 0:
            self.size += _SAMPLED * item_size(item)
        self.count += 1
        held = TRANSACTION in item
        self.held += held
        if held or self.operation.select == "items":
            self._found.append(item)

    def _exhausted(self, own_size: bool) -> bool:
        operation = self.operation
        return (
            (operation.max_examined is not None and self.examined >= operation.max_examined)
            or (operation.max_bytes is not None and self.size >= operation.max_bytes)
            or (own_size and (self.size >= PAGE_BYTES or self.count >= PAGE_ITEMS))
        )

    def page(self) -> Page:
        """The page; it has a position when it was full before the candidates ended."""
        cut = cutter(self.operation)
        found = self._found if self._sieve is None else self._sieve.items(self._found)
        items = [item if TRANSACTION in item else cut(item) for item in found] if cut else found
        position = self._position() if self.full else None
        if self._sieve is None:
            return Page(items, self.count - self.held, position, self.examined)
        count, unreadable = self.count - self.held - self._sieve.stood, self._sieve.found(complete=self.full)
        return Page(items, count, position, self.examined, unreadable=unreadable)

    def _position(self) -> Item | None:
        names = position_names(self.operation.table, used_index(self.operation))
        return None if self._last is None else {name: self._last[name] for name in names}


def _alone(stand: Stand, _size: int) -> Item:
    return stand
