"""Creating, describing, listing and dropping tables; each step can be repeated after a crash."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from attrs import evolve
from bson.objectid import ObjectId
from pymongo.errors import DuplicateKeyError, OperationFailure

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import AlreadyExists, SchemaMismatch, TableNotFound, UniqueViolation
from isthmus.schema import Index, Table, Unique
from isthmus_mongodb.catalogue import (
    CATALOGUE,
    FORMAT,
    Catalogue,
    Stored,
    check_collection,
    check_prefix,
    collection_problem,
)
from isthmus_mongodb.failures import OTHER_COLLECTION
from isthmus_mongodb.layouts import EXPIRY, Layout, layout_of
from isthmus_mongodb.native import Call, Command
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.unique import (
    ATTEMPTS,
    DUPLICATE,
    ValueTakenError,
    busy,
    index_model,
    index_name,
    make_way,
    violation,
)

Plan = Generator[Any, Any, Any]
MAJORITY = {"w": "majority", "j": True}
_EXISTS, _MISSING, _NO_INDEX = 48, 26, 27


def create(catalogue: Catalogue, operation: op.CreateTable) -> Plan:
    """Create a table: its entry first, then the collection and indexes, then the entry becomes active.

    Whoever meets an entry that is not active yet finishes the work, so a crash leaves nothing that blocks the name.
    """
    table, made = operation.table, ObjectId()
    collection = catalogue.collection(table.name)
    catalogue.forget(table.name)
    yield from _finish_drop(catalogue, collection)
    entry = {
        "_id": collection, "prefix": catalogue.prefix, "format": FORMAT, "state": "creating", "made": made,
        "table": table.to_dict(),
    }  # fmt: skip
    try:
        yield from _check_free(collection, catalogue.prefix, table.name)
        yield Call(CATALOGUE, "insert_one", (entry,))
    except (DuplicateKeyError, AlreadyExists):
        yield from _finish_creation(catalogue, collection)
        raise AlreadyExists(f"table {table.name!r} exists already: use ensure() to accept it") from None
    yield from _build(catalogue.stored(entry))
    yield from _activate(collection, made)
    return res.TableResult(table)


def _check_free(collection: str, prefix: str, name: str) -> Plan:
    """Refuse a name whose collection holds documents that Isthmus did not write.

    :raises AlreadyExists: the catalogue has the table
    :raises SchemaMismatch: also where the collection is that of another prefix's table
    """
    answer = yield Command({"listCollections": 1, "filter": {"name": collection}})
    found = answer["cursor"]["firstBatch"]
    if not found:
        return
    entry = yield Call(CATALOGUE, "find_one", ({"_id": collection},))
    if entry is not None:
        check_prefix(entry, prefix, name)
        raise AlreadyExists(f"table {name!r} exists already: use ensure() to accept it")
    problem = collection_problem(found[0])
    if not problem and (yield Call(collection, "find_one", ({}, {"_id": 1}))) is not None:
        problem = "holds documents but no table of Isthmus: declare a mapping, or choose another name or prefix"
    if problem:
        raise SchemaMismatch(f"collection {collection!r} {problem}", differences=[problem])


def _finish_creation(catalogue: Catalogue, collection: str) -> Plan:
    entry = yield Call(CATALOGUE, "find_one", ({"_id": collection},))
    if entry is not None and entry["state"] != "dropping":
        stored = catalogue.stored(entry)
        yield from _build(stored)
        yield from _activate(collection, stored.made)


def _activate(collection: str, made: Any) -> Plan:
    ours = {"_id": collection, "made": made, "state": "creating"}
    yield Call(CATALOGUE, "update_one", (ours, {"$set": {"state": "active"}}))


def _build(stored: Stored) -> Plan:
    """The collection and its indexes, those that are not there yet."""
    collation = {"locale": "simple"}
    try:
        yield Command({"create": stored.collection, "collation": collation, "writeConcern": MAJORITY})
    except OperationFailure as error:
        if error.code != _EXISTS:
            raise
    indexes = index_models(stored.layout)
    if indexes:
        yield Command({"createIndexes": stored.collection, "indexes": indexes, "writeConcern": MAJORITY})


def index_models(layout: Layout) -> list[dict[str, Any]]:
    """The indexes of a table as the server's command wants them (rules KEY-10, TTL-2).

    Declared indexes of the same keys, which differ in what they show, share one.
    """
    by_fields = {index_fields(layout, index): index.name for index in reversed(layout.table.indexes)}
    models = [_index_model(fields, name) for fields, name in by_fields.items()]
    if layout.table.ttl is not None:
        models.append({
            "name": "isthmus.expiry", "key": {EXPIRY: 1}, "expireAfterSeconds": 0,
            "partialFilterExpression": {EXPIRY: {"$exists": True}},
        })  # fmt: skip
    return models + [index_model(layout, unique) for unique in layout.table.unique]


def _index_model(fields: tuple[str, ...], name: str) -> dict[str, Any]:
    partial = {field: {"$exists": True} for field in fields}
    return {"name": f"isthmus_{name}", "key": dict(index_keys(fields)), "partialFilterExpression": partial}


def index_keys(fields: tuple[str, ...]) -> list[tuple[str, int]]:
    """What an index is over, in order; equal keys are in the order of the table's own."""
    return [(field, 1) for field in (*fields, "_id")]


def index_fields(layout: Layout, index: Index) -> tuple[str, ...]:
    """The fields of an index's own keys, dotted."""
    return tuple(layout.index_field(key.name) for key in index.keys)


def keep_unique(catalogue: Catalogue, operation: op.KeepUnique) -> Plan:
    """Build the indexes of unique constraints, then put these into the table's entry; the other way round to drop them.

    :raises UniqueViolation: items have the same values already
    """
    name = operation.table.name
    for _attempt in range(ATTEMPTS):
        stored = yield from catalogue.read(name)
        before = stored.table.unique
        kept = [unique for unique in dict.fromkeys((*before, *operation.table.unique)) if unique not in operation.drop]
        table = evolve(stored.table, unique=kept)
        for unique in table.unique:
            if unique not in before:
                yield from _build_unique(stored.place, unique)
        if table == stored.table or (yield from _exchange(stored, table)):
            yield from _drop_indexes(stored.collection, operation.drop)
            catalogue.forget(name)
            return res.TableResult(table)
    raise busy()


def _build_unique(place: Place, unique: Unique) -> Plan:
    declared = evolve(place, layout=layout_of(evolve(place.layout.table, unique=[unique])))
    models = [index_model(declared.layout, unique)]
    while True:
        try:
            yield Command({"createIndexes": place.collection, "indexes": models, "writeConcern": MAJORITY})
        except OperationFailure as error:
            if error.code != DUPLICATE:
                raise
            taken = violation(declared.layout, error.details)
            if isinstance(taken, ValueTakenError) and (yield from make_way(declared, taken)):
                continue
            raise _held_twice(place.layout.table.name, unique) from None
        return


def _held_twice(name: str, unique: Unique) -> UniqueViolation:
    fields = " and ".join(map(repr, unique.attributes))
    return UniqueViolation(
        f"items of table {name!r} have the same {fields} already, so it can't be kept unique: rebuild_unique_values()"
        " of the repository lists them; change or delete all but one of each",
        constraint=unique.attributes,
    )


def _exchange(stored: Stored, table: Table) -> Generator[Any, Any, bool]:
    """Put a definition in the place of the one that was read; whether that was still there."""
    former = {"_id": str(stored.collection), "made": stored.made, "table": stored.table.to_dict()}
    changed = yield Call(CATALOGUE, "update_one", (former, {"$set": {"table": table.to_dict()}}))
    return bool(changed.matched_count)


def _drop_indexes(collection: str, constraints: Iterable[Unique]) -> Plan:
    for unique in constraints:
        try:
            yield Command({"dropIndexes": collection, "index": index_name(unique), "writeConcern": MAJORITY})
        except OperationFailure as error:
            if error.code != _NO_INDEX:
                raise


def describe(catalogue: Catalogue, operation: op.DescribeTable) -> Plan:
    """The stored definition of a table, after its collection was looked at."""
    stored = yield from catalogue.read(operation.name)
    yield from check_collection(stored.collection, operation.name)
    return res.TableResult(stored.table)


def list_names(catalogue: Catalogue) -> Plan:
    """The names of all tables, in order."""
    entries = yield Call(CATALOGUE, "find", ({"prefix": catalogue.prefix, "state": "active"}, {"_id": 1}))
    return res.TablesResult(sorted(entry["_id"][len(catalogue.prefix) :] for entry in entries))


def drop(catalogue: Catalogue, operation: op.DropTable) -> Plan:
    """Remove a table: its entry is marked first, so that a crash can't leave a table without its collection."""
    name = operation.name
    collection = catalogue.collection(name)
    catalogue.forget(name)
    entry = yield Call(CATALOGUE, "find_one", ({"_id": collection},))
    if entry is not None:
        check_prefix(entry, catalogue.prefix, name)
    marked = yield Call(
        CATALOGUE, "update_one",
        ({"_id": collection, "prefix": catalogue.prefix, "state": "active"}, {"$set": {"state": "dropping"}}),
    )  # fmt: skip
    if not marked.matched_count:
        raise TableNotFound(f"table {name!r} does not exist: create it with ensure()")
    yield from _finish_drop(catalogue, collection)
    catalogue.forget(name)
    return res.DropResult()


def _finish_drop(catalogue: Catalogue, collection: str) -> Plan:
    """Remove what a drop that was begun, here or elsewhere, has left."""
    begun = {"_id": collection, "prefix": catalogue.prefix, "state": "dropping"}
    entry = yield Call(CATALOGUE, "find_one", (begun,))
    if entry is None:
        return
    made = {"_id": collection, "made": entry["made"]}
    answer = yield Command({"listCollections": 1, "filter": {"name": collection, "type": "collection"}})
    found = answer["cursor"]["firstBatch"]
    # As long as the entry is there, nobody makes the table anew: the collection that was found is the old one.
    if found and (yield Call(CATALOGUE, "find_one", (made,))) is not None:
        yield from _drop_collection(collection, found[0]["info"]["uuid"])
    yield Call(CATALOGUE, "delete_one", (made,))


def _drop_collection(collection: str, uuid: Any) -> Plan:
    """Remove one collection, and not another one that was made under its name since."""
    try:
        yield Command({"drop": collection, "collectionUUID": uuid, "writeConcern": MAJORITY})
    except OperationFailure as error:
        if error.code not in (_MISSING, OTHER_COLLECTION):
            raise
