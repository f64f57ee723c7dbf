"""What an item's change means for its document: what did not change keeps its stored form to the byte.

A double stays a double, and a map the order of its fields, as long as nothing touches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from isthmus.values import Item, Value, equal
from isthmus_mongodb.mapped_values import ABSENT, HIDDEN, NOTHING, ForeignError, Path, decode, encode, encode_field
from isthmus_mongodb.mappings import ID, CollectionMapping, Node
from isthmus_mongodb.values import Document


def changed_fields(mapping: CollectionMapping, document: Mapping[str, Any], new: Mapping[str, Value]) -> Document:
    """The top-level fields that an item's change touches, in their new stored form; ``REMOVED`` for those that go.

    :raises InvalidValue: as ``encode_document``
    """
    names = mapping.table.key_names
    tops = {key.path[0] for key in mapping.keys} | {ID}
    found: Document = {}
    for name, raw in document.items():
        if name in tops or name.startswith(HIDDEN):
            continue
        old = _readable(raw, mapping.tree.children.get(name, NOTHING))
        if name not in new:
            if old is not ABSENT:
                found[name] = REMOVED
            continue
        node = mapping.tree.children.get(name, NOTHING)
        merged = raw if _same(old, new[name]) else merge(raw, old, new[name], node, (name,))
        if merged is not raw:
            found[name] = merged
    for name, value in new.items():
        if name not in document and name not in names:
            found[name] = encode_field(mapping, name, value)
        elif name in document and name in tops and name not in names:
            encode_field(mapping, name, value)
    return found


class _Removed:
    """A field that goes."""


REMOVED: Final = _Removed()


class _Unreadable:
    """A field that holds what is no portable value; it can only be replaced."""


_UNREADABLE: Final = _Unreadable()


def _readable(raw: Any, node: Node) -> Any:
    try:
        return decode(raw, node)
    except ForeignError:
        return _UNREADABLE


def _same(old: Any, new: Any) -> bool:
    return old is not ABSENT and old is not _UNREADABLE and equal(old, new)


def merge(raw: Any, old: Any, new: Any, node: Node, path: Path) -> Any:
    """The stored form of a new value, with all that did not change as it was."""
    if _same(old, new):
        return raw
    if node.kind == "set" and type(raw) is list and type(new) is frozenset and type(old) is frozenset:
        kept = [member for member in raw if decode(member, node.elements or NOTHING) in new]
        return kept + [encode(member, node.elements or NOTHING, path) for member in sorted(new - old)]
    if node.kind is None and type(raw) is dict and type(old) is dict and type(new) is dict:
        return _merge_map(raw, old, new, node, path)
    if node.kind is None and type(raw) is list and type(old) is list and type(new) is list:
        return _merge_list(raw, old, new, node, path)
    return encode(new, node, path)


def _merge_map(raw: Document, old: Item, new: Item, node: Node, path: Path) -> Document:
    found: Document = {}
    for name, member in raw.items():
        if name in new:
            inner = node.children.get(name, NOTHING)
            found[name] = merge(member, old.get(name, ABSENT), new[name], inner, (*path, name))
        elif name not in old:
            found[name] = member
    added = {name: value for name, value in new.items() if name not in raw}
    return {**found, **encode(added, node, path)}


def _merge_list(raw: list[Any], old: list[Any], new: list[Any], node: Node, path: Path) -> list[Any]:
    """Elements that stay at the beginning and at the end are as they were, those between are merged in order."""
    inner, path = node.elements or NOTHING, (*path, "[]")
    least = min(len(old), len(new))
    head = next((place for place in range(least) if not equal(old[place], new[place])), least)
    rest = least - head
    tail = next((place for place in range(rest) if not equal(old[-1 - place], new[-1 - place])), rest)
    middle_old, middle_new = range(head, len(old) - tail), new[head : len(new) - tail]
    changed = [
        merge(raw[place], old[place], value, inner, path) for place, value in zip(middle_old, middle_new, strict=False)
    ]
    changed += [encode(value, inner, path) for value in middle_new[len(middle_old) :]]
    return [*raw[:head], *changed, *raw[len(raw) - tail :]]
