"""Running plans against a server, without a backend around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

from attrs import define, field
from pymongo.collection import Collection

from isthmus import Limits, Table
from isthmus.operations import Context, Create, Delete, Get, ItemKey, Put, Resolve, Update
from isthmus.planned import drive
from isthmus.values import Item
from isthmus_mongodb import items
from isthmus_mongodb.layouts import layout_of
from isthmus_mongodb.native import Call
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.values import decode_item, encode_item, encode_key

NOW = 4_000_000_000.25

_PLANS: dict[type, Callable[[Place, Any], Any]] = {
    Create: items.create, Delete: items.delete, Get: items.get, Put: items.put, Resolve: items.resolve,
    Update: items.update,
}  # fmt: skip


@define
class Bench:
    """One table in one collection, and what its plans sent."""

    collection: Collection[dict[str, Any]]
    table: Table
    now: float = NOW
    sent: Counter[str] = field(factory=Counter)

    @property
    def place(self) -> Place:
        """Where plans find the table."""
        return Place(layout_of(self.table), self.collection.name, Limits(), lambda: self.now)

    def send(self, call: Call) -> Any:
        """Carry out one request."""
        self.sent[call.method] += 1
        answer = getattr(self.collection, call.method)(*call.arguments, **call.options)
        return list(answer) if call.method == "find" else answer

    def run(self, operation: Any) -> Any:
        """The result of an operation on one item."""
        return self.drive(_PLANS[type(operation)](self.place, operation))

    def drive(self, steps: Generator[Any, Any, Any]) -> Any:
        """What any plan returns."""
        return drive(steps, self.send)

    def store(self, *stored: Item) -> None:
        """Make the collection hold these items alone."""
        self.collection.delete_many({})
        if stored:
            self.collection.insert_many([encode_item(layout_of(self.table), item) for item in stored])

    def decoded(self, document: dict[str, Any]) -> Item:
        """The item behind a document."""
        return decode_item(layout_of(self.table), document)

    def items(self) -> list[Item]:
        """All items, in the order of keys."""
        return [self.decoded(document) for document in self.collection.find().sort("_id")]

    def raw(self, key: ItemKey) -> dict[str, Any] | None:
        """The document of a key as it is stored."""
        return self.collection.find_one({"_id": encode_key(layout_of(self.table), key)})

    def stored(self, key: ItemKey) -> Item | None:
        """The item of a key, expired or not."""
        document = self.raw(key)
        return None if document is None else self.decoded(document)


def context(operation_id: str | None = None, *, repeated: bool = False) -> Context:
    """Who calls: nobody in particular."""
    return Context(operation_id=operation_id, repeated=repeated)
