"""Unique values by indexes of the server: which constraint a refusal speaks of, and holders that have expired.

An index counts an item until the server removes it, so an expired one is removed here as soon as it is in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import Conflict, SchemaMismatch, UniqueViolation
from isthmus.schema import Table, Unique
from isthmus_mongodb.layouts import Layout
from isthmus_mongodb.names import escape
from isthmus_mongodb.native import Call
from isthmus_mongodb.values import Document, decode_visible, encode_key_value, encode_value

if TYPE_CHECKING:
    from isthmus_mongodb.swapping import Place

Plan = Generator[Any, Any, Any]

DUPLICATE: Final = 11000
ATTEMPTS: Final = 20
"""How often holders that have expired, or are gone by now, may be in the way of one write."""

# What may be unique: neither null nor lists, whose elements the server would count one by one.
_VALUES: Final = {"$type": ["string", "number", "bool", "binData"]}


class ValueTakenError(UniqueViolation):
    """A value of a declared constraint has a holder, which may have expired.

    :param where: matches the holder
    """

    def __init__(self, message: str, unique: Unique, where: Document) -> None:
        super().__init__(message, constraint=unique.attributes)
        self.where = where

    def final(self) -> UniqueViolation:
        """The error, for callers."""
        return UniqueViolation(self.message, constraint=self.constraint)


# ---- the indexes ----


def index_name(unique: Unique) -> str:
    """The name of a constraint's index."""
    return f"isthmus.unique.{unique.name}"


def index_model(layout: Layout, unique: Unique) -> Document:
    """The index of a constraint, as the server's command wants it.

    What tells the class of an item apart is part of its key, so that a refusal tells which constraint it is of.
    """
    return {
        "name": index_name(unique), "key": dict.fromkeys(_fields(layout, unique), 1), "unique": True,
        "partialFilterExpression": _has_values(layout, unique),
    }  # fmt: skip


def _fields(layout: Layout, unique: Unique) -> tuple[str, ...]:
    own = () if unique.only is None else (escape(unique.only[0]),)
    return (*own, *(layout.index_field(name) for name in unique.attributes))


def _has_values(layout: Layout, unique: Unique) -> Document:
    own = {} if unique.only is None else {escape(unique.only[0]): {"$eq": unique.only[1]}}
    return {**own, **{layout.index_field(name): _VALUES for name in unique.attributes}}


# ---- what a refusal means ----


def violation(layout: Layout, details: Mapping[str, Any] | None) -> UniqueViolation:
    """The error for a value that the server refuses, where the duplicate is not the key.

    :param details: of the server's answer
    """
    name = layout.table.name
    for unique in layout.table.unique:
        where = _refused_by(layout, unique, details or {})
        if where is not None:
            fields = " and ".join(map(repr, unique.attributes))
            return ValueTakenError(
                f"another item of table {name!r} has the same {fields}, which is unique: choose another value",
                unique, where,
            )  # fmt: skip
    return UniqueViolation(
        f"another item of table {name!r} holds a value that a unique index of its collection allows once: change the"
        " value, or drop the index"
    )


def _refused_by(layout: Layout, unique: Unique, details: Mapping[str, Any]) -> Document | None:
    """What matches the holder, where a refusal is that of this constraint."""
    values = details.get("keyValue") or {}
    own = unique.only is None or values.get(escape(unique.only[0])) == unique.only[1]
    if tuple(details.get("keyPattern") or {}) != _fields(layout, unique) or not own:
        return None
    return _holding(layout, unique, values)


def _holding(layout: Layout, unique: Unique, values: Mapping[str, Any]) -> Document:
    # With the index's own filter among the tests, the server looks into the index.
    return {"$and": [{name: {"$eq": value}} for name, value in values.items()] + [_has_values(layout, unique)]}


# ---- holders ----


def find_holder(place: Place, operation: op.FindHolder) -> Plan:
    """The plan of reading the item that holds values."""
    layout, unique = place.layout, operation.unique
    values = dict(zip((layout.index_field(name) for name in unique.attributes), operation.values, strict=True))
    # Binary values of keys are kept as text.
    stored = {name: encode_key_value(value) if name in _kept_as_keys(layout) else encode_value(value)
              for name, value in values.items()}  # fmt: skip
    document = yield Call(place.collection, "find_one", (_holding(layout, unique, stored),))
    return res.GetResult(decode_visible(layout, document, place.clock()))


def _kept_as_keys(layout: Layout) -> set[str]:
    return {layout.index_field(name) for name in (*layout.by_name, *layout.indexed)}


def make_way(place: Place, taken: ValueTakenError) -> Generator[Any, Any, bool]:
    """Remove the holders of a value that have expired; whether the value may be free now."""
    documents = yield Call(place.collection, "find", (taken.where,))
    expired = [one for one in documents if decode_visible(place.layout, one, place.clock()) is None]
    for document in expired:
        unchanged = {"_id": document["_id"], "$expr": {"$eq": ["$$ROOT", {"$literal": document}]}}
        yield Call(place.collection, "delete_one", (unchanged,))
    return bool(expired) or not documents


def with_values_freed(plan: Callable[[Place, Any], Plan]) -> Callable[[Place, Any], Plan]:
    """A write of one item, which begins again where an expired item was in its way."""

    def planned(place: Place, operation: op.TableOperation) -> Plan:
        return _again(place, operation) if place.layout.table.unique else plan(place, operation)

    def _again(place: Place, operation: op.TableOperation) -> Plan:
        for _attempt in range(ATTEMPTS):
            try:
                return (yield from plan(place, operation))
            except ValueTakenError as taken:
                if not (yield from make_way(place, taken)):
                    raise taken.final() from None
        raise busy()

    return planned


def busy() -> Conflict:
    """The error where a value was taken and given up again and again."""
    return Conflict("other writers took and gave up a unique value each time before it could be written: retry")


def check_kept(declared: Table, stored: Table) -> None:
    """Refuse a write to a table that does not keep unique what its declaration says.

    :raises SchemaMismatch: naming the constraints
    """
    missing = lacking(declared, stored)
    if missing:
        problems = [f"unique constraint {unique.name!r} is declared but not stored" for unique in missing]
        raise SchemaMismatch(
            f"table {declared.name!r} does not keep its values unique yet: {'; '.join(problems)}. Call ensure() of the"
            " repository, or create the table as declared",
            differences=problems,
        )


def lacking(declared: Table, stored: Table) -> list[Unique]:
    """Constraints that are declared, but not stored."""
    return [unique for unique in declared.unique if unique not in stored.unique] if declared.unique else []
