"""What the core needs to run transactions where the server has none: reads and swaps of single physical items."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from pymongo.errors import DuplicateKeyError, OperationFailure

from isthmus import operations as op
from isthmus.fallback.store import LOST, Answer, ItemStore, Place, StorePlan, Swap
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_mongodb import swap_batches, swapping
from isthmus_mongodb.admission import Admission
from isthmus_mongodb.blocking import Blocking
from isthmus_mongodb.catalogue import RECORDS, Catalogue
from isthmus_mongodb.closing import Gate
from isthmus_mongodb.failures import translate
from isthmus_mongodb.layouts import layout_of
from isthmus_mongodb.locks import decode_physical
from isthmus_mongodb.native import Call, Command
from isthmus_mongodb.on_loop import OnLoop
from isthmus_mongodb.physical import Statement, statement_of
from isthmus_mongodb.tables import MAJORITY, index_models
from isthmus_mongodb.values import encode_key

_EXISTS: Final = 48
_ITEMS: Final = frozenset({
    op.Get, op.GetMany, op.Create, op.Put, op.Update, op.Delete, op.PutMany, op.DeleteMany, op.Query, op.Scan,
})  # fmt: skip
_TRANSACTIONS: Final = frozenset({op.TransactWrite, op.TransactGet})


class MongoDBItemStore(ItemStore):
    """Physical items are documents, records those of a collection that no table can have.

    :param hosts: the servers, for messages
    :param former: whether the server has transactions by now, and ran alone when the records were made
    """

    bulk = True

    def __init__(
        self, catalogue: Catalogue, mapped: Callable[[str], bool], hosts: str, blocking: Blocking, on_loop: OnLoop,
        gate: Gate, name: str, *, former: bool,
    ) -> None:  # fmt: skip
        self.native = _ITEMS | _TRANSACTIONS if former else _ITEMS
        self._catalogue = catalogue
        self._mapped = mapped
        self._hosts = hosts
        self._blocking = blocking
        self._on_loop = on_loop
        self._gate = gate
        self._admission = Admission(name)

    # ---- items ----

    def read(self, place: Place) -> StorePlan[Item | None]:
        spot = yield from self._spot(place.table)
        document = yield Call(spot.collection, "find_one", ({"_id": encode_key(spot.layout, place.key)},))
        return None if document is None else decode_physical(spot.layout, document)

    def read_many(self, places: Sequence[Place]) -> StorePlan[list[Item | None]]:
        tables: dict[str, list[int]] = {}
        for position, place in enumerate(places):
            tables.setdefault(place.table.name, []).append(position)
        found: list[Item | None] = [None] * len(places)
        for positions in tables.values():
            items = yield from self._of_one_table([places[position] for position in positions])
            for position, item in zip(positions, items, strict=True):
                found[position] = item
        return found

    def _of_one_table(self, places: Sequence[Place]) -> Generator[Any, Any, list[Item | None]]:
        spot = yield from self._spot(places[0].table)
        wanted = {"_id": {"$in": [encode_key(spot.layout, place.key) for place in places]}}
        documents = yield Call(spot.collection, "find", (wanted,), {"batch_size": len(places) + 1})
        items = [decode_physical(spot.layout, document) for document in documents]
        names = spot.layout.table.key_names
        by_key = {tuple(item[name] for name in names): item for item in items}
        return [by_key.get(tuple(place.key[name] for name in names)) for place in places]

    def swap(self, swap: Swap) -> StorePlan[Answer]:
        collection, statement = yield from self._statement(swap)
        try:
            answer = yield statement.call(collection)
        except DuplicateKeyError as error:
            if not swapping.is_key_taken(error):
                raise
            return False
        except Exception as error:
            if not self._is_lost(error):
                raise
            return LOST
        return statement.kind == "insert" or bool(
            answer.deleted_count if statement.kind == "delete" else answer.matched_count
        )

    def swap_many(self, swaps: Sequence[Swap]) -> StorePlan[list[Answer]]:
        statements: list[tuple[str, Statement]] = []
        for swap in swaps:
            statements += [(yield from self._statement(swap))]
        answers: list[Answer] = [LOST] * len(swaps)
        first = True
        for request in swap_batches.requests_of(statements):
            try:
                answer = yield request.command
            except Exception as error:
                # Once something was sent, only a look at the items tells where they are.
                if first and not self._is_lost(error):
                    raise
                continue
            finally:
                first = False
            for position, done in zip(request.positions, swap_batches.answers_of(request, answer), strict=True):
                answers[position] = done
        return answers

    def _statement(self, swap: Swap) -> Generator[Any, Any, tuple[str, Statement]]:
        spot = yield from self._spot(swap.place.table)
        return spot.collection, statement_of(spot.layout, swap)

    def _is_lost(self, error: Exception) -> bool:
        """Whether a write that met this error may have been carried out, or may be later."""
        known = translate(error, writes=True, hosts=self._hosts, late=False)
        return known is not None and known.maybe_applied

    def admit(self, table: Table) -> StorePlan[Table]:
        self._check_hidden(table.name)
        stored = self._catalogue.recent(table) or (yield from self._catalogue.find(table))
        yield from self._admission.check(stored)
        return stored.table

    def _check_hidden(self, table: str) -> None:
        if self._mapped(table):
            raise self._admission.refusal(
                table, "it is a mapped collection, whose documents get no hidden fields; use a table without a mapping"
            )

    # ---- records ----

    def create_records(self, table: Table) -> StorePlan[None]:
        spot = self._records(table)
        try:
            yield Command({"create": spot.collection, "writeConcern": MAJORITY})
        except OperationFailure as error:
            if error.code != _EXISTS:
                raise
        yield Command({
            "createIndexes": spot.collection, "indexes": index_models(spot.layout), "writeConcern": MAJORITY,
        })  # fmt: skip

    def scan_records(self, table: Table, start: Item | None, limit: int) -> StorePlan[tuple[list[Item], Item | None]]:
        spot = self._records(table)
        match: Mapping[str, Any] = {} if start is None else {"_id": {"$gt": encode_key(spot.layout, start)}}
        options = {"sort": [("_id", 1)], "limit": limit, "batch_size": limit + 1}
        documents = yield Call(spot.collection, "find", (match,), options)
        records = [decode_physical(spot.layout, document) for document in documents]
        return records, table.key_of(records[-1]) if len(records) == limit else None

    def _records(self, table: Table) -> swapping.Place:
        catalogue = self._catalogue
        return swapping.Place(layout_of(table), catalogue.records, catalogue.limits, catalogue.clock, locks=True)

    def _spot(self, table: Table) -> Generator[Any, Any, swapping.Place]:
        """Where the items of a table lie."""
        if table.name == RECORDS:
            return self._records(table)
        self._check_hidden(table.name)
        stored = self._catalogue.recent(table) or (yield from self._catalogue.find(table))
        return stored.place

    # ---- transport ----

    def send(self, request: Any, deadline: float | None) -> Any:
        return self._blocking.send(request, deadline)

    async def asend(self, request: Any, deadline: float | None) -> Any:
        return await self._on_loop.send(request, deadline)

    def working(self) -> AbstractContextManager[None]:
        return _inside(self._gate)


@contextmanager
def _inside(gate: Gate) -> Iterator[None]:
    gate.enter()
    try:
        yield
    finally:
        gate.leave()
