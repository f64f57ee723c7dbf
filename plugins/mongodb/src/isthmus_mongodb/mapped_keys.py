"""Where a mapped item lies: filters for its key, and ranges that leave out nothing that belongs to them.

A number that somebody else wrote may be a double. It means the decimal that it prints as, but the server compares it by
its exact binary value. So ranges of numbers are a little wider here than what is asked for, and every document that
they find is judged again by the value that programs see.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any, Final

from isthmus.errors import InvalidValue
from isthmus_mongodb.mapped_values import encode, encode_key_value
from isthmus_mongodb.mappings import ID, CollectionMapping, Kind, MappedKey, Node
from isthmus_mongodb.values import Document

_EXACT: Final = 2**53
_DATE_PARTS: Final = frozenset({4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20})
_FIRST_DATE: Final = "0001-01-01T00:00:00.000000Z"
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{0,24}")


# ---- single values ----


def forms(value: Any, kind: Kind | None = None) -> list[Any]:
    """All stored forms that read as one scalar value.

    :raises InvalidValue: it is no ObjectId or date, which it has to be
    """
    found = [encode(value, Node(kind), ("value",))]
    if _is_inexact(value, kind):
        double = float(value)
        if Decimal(repr(double)) == value:
            found.append(double)
    return found


def least(value: Any, kind: Kind | None = None) -> Any:
    """A stored value below which none reads as ``value`` or more; ``None`` where there is none to tell."""
    if _is_inexact(value, kind):
        return math.nextafter(float(value), -math.inf)
    return _bound(value, kind)


def greatest(value: Any, kind: Kind | None = None) -> Any:
    """A stored value above which none reads as ``value`` or less; ``None`` where there is none to tell."""
    if _is_inexact(value, kind):
        return math.nextafter(float(value), math.inf)
    return _bound(value, kind)


def _bound(value: Any, kind: Kind | None) -> Any:
    try:
        return encode(_padded(value, kind), Node(kind), ("value",))
    except InvalidValue:
        return None


def _padded(value: Any, kind: Kind | None) -> Any:
    """The first ObjectId or date that begins with a text, which is a bound just as the text is."""
    if kind == "object_id" and _HEXADECIMAL.fullmatch(str(value)):
        return str(value).ljust(24, "0")
    if kind == "date" and len(str(value)) in _DATE_PARTS:
        return str(value) + _FIRST_DATE[len(str(value)) :]
    return value


def _is_inexact(value: Any, kind: Kind | None) -> bool:
    """Whether a double can mean this number without being it."""
    return kind is None and (type(value) is Decimal or (type(value) is int and abs(value) > _EXACT))


# ---- keys ----


def key_filter(mapping: CollectionMapping, key: Mapping[str, Any]) -> Document:
    """Matches the document of a key.

    :raises InvalidKey: a key attribute is no ObjectId or date, which it has to be
    """
    return {field: values[0] if len(values) == 1 else {"$in": values} for field, values in _fields(mapping, key)}


def keys_filter(mapping: CollectionMapping, keys: list[Any]) -> Document:
    """Matches the documents of several keys."""
    if mapping.shape == "fields":
        return {"$or": [key_filter(mapping, key) for key in keys]}
    return {ID: {"$in": [form for key in keys for _field, values in _fields(mapping, key) for form in values]}}


def has_one_form(mapping: CollectionMapping, key: Mapping[str, Any]) -> bool:
    """Whether the server's unique index alone sees to it that a key is there once."""
    return all(len(values) == 1 for _field, values in _fields(mapping, key))


def _fields(mapping: CollectionMapping, key: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    found = [(field, key_forms(field, key[field.name])) for field in mapping.keys]
    if mapping.shape != "embedded":
        return [(field.field, values) for field, values in found]
    names = [field.path[1] for field, _values in found]
    combined = [dict(zip(names, values, strict=True)) for values in product(*(values for _field, values in found))]
    return [(ID, combined)]


def key_forms(field: MappedKey, value: Any) -> list[Any]:
    """All stored forms of a key attribute's value.

    :raises InvalidKey: it is no ObjectId or date, which it has to be
    """
    found = [encode_key_value(field, value)]
    return found if not _is_inexact(value, field.kind) else forms(value)


# ---- order ----


class Term:
    """One field of an order, as a condition on documents."""

    def __init__(self, field: str, key: MappedKey) -> None:
        self.field = field
        self.key = key

    def same(self, item: Mapping[str, Any]) -> Document:
        """Matches what reads as the item's value."""
        return {self.field: {"$in": key_forms(self.key, item[self.key.name])}}

    def beyond(self, item: Mapping[str, Any], *, forward: bool) -> Document:
        """Matches what reads as a later value, and perhaps a little more, but never the same one."""
        value = item[self.key.name]
        bound = least(value, self.key.kind) if forward else greatest(value, self.key.kind)
        return {self.field: {"$gte" if forward else "$lte": bound, "$nin": key_forms(self.key, value)}}

    def beyond_of_any_type(self, item: Mapping[str, Any]) -> Document:
        """As ``beyond``, forward; values of other types match as well, so that a scan meets them."""
        value = item[self.key.name]
        return {self.field: {"$not": {"$lt": least(value, self.key.kind)}, "$nin": key_forms(self.key, value)}}


class EmbeddedTerm(Term):
    """The key inside ``_id``, which the server compares field by field."""

    def __init__(self, mapping: CollectionMapping) -> None:
        super().__init__(ID, mapping.keys[0])
        self.mapping = mapping

    def same(self, item: Mapping[str, Any]) -> Document:
        return key_filter(self.mapping, item)

    def beyond(self, item: Mapping[str, Any], *, forward: bool) -> Document:
        bound = self.bound(item, forward=forward)
        return {ID: {"$gte" if forward else "$lte": bound, "$nin": self.forms(item)}}

    def beyond_of_any_type(self, item: Mapping[str, Any]) -> Document:
        return {ID: {"$not": {"$lt": self.bound(item, forward=True)}, "$nin": self.forms(item)}}

    def forms(self, item: Mapping[str, Any]) -> list[Any]:
        """All stored forms of the whole key."""
        return next(values for _field, values in _fields(self.mapping, item))

    def bound(self, item: Mapping[str, Any], *, forward: bool) -> Document:
        """A whole ``_id`` that is not later than any of the item's key, or not earlier."""
        found: Document = {}
        for key in self.mapping.keys:
            value = item[key.name]
            found[key.path[1]] = least(value, key.kind) if forward else greatest(value, key.kind)
            if _is_inexact(value, key.kind):
                break
        return found


def key_terms(mapping: CollectionMapping) -> list[Term]:
    """The order of the table's key."""
    if mapping.shape == "embedded":
        return [EmbeddedTerm(mapping)]
    return [Term(key.field, key) for key in mapping.keys]


def later(terms: list[Term], item: Mapping[str, Any], *, forward: bool, any_type: bool = False) -> list[Document]:
    """Branches, one of which matches each document that comes after an item's position."""
    branches: list[Document] = []
    for place, term in enumerate(terms):
        branch = term.beyond_of_any_type(item) if any_type else term.beyond(item, forward=forward)
        for before in terms[:place]:
            branch.update(before.same(item))
        branches.append(branch)
    return branches
