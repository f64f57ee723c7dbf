"""What a program says of a collection that Isthmus did not make: its key, and what its fields mean.

A mapping is plain data, the same in code and in ``isthmus.toml``::

    {"partition_key": "customer", "sort_key": {"field": "_id"}, "object_ids": ["_id", "lines[].product"]}

The key is the document's ``_id`` itself, two fields inside of it, or fields at the top that a unique index covers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

from attrs import define, field, frozen

from isthmus.errors import ConfigurationError, IsthmusError
from isthmus.schema import Index, Key, KeyType, Table
from isthmus.values import check_table_name

Kind = Literal["object_id", "date", "set", "expiry"]
Shape = Literal["whole", "embedded", "fields"]

ID: Final = "_id"
BINARY_SORT_KEY: Final = "a binary sort key is refused, because MongoDB sorts binary values by length first"
_KINDS: Final[Mapping[str, Kind]] = {"object_ids": "object_id", "dates": "date", "sets": "set"}
_FIELDS: Final = ("collection", "partition_key", "sort_key", *_KINDS, "indexes", "ttl", "version")
_KEY_PARTS: Final = ("field", "name", "type")
_KEY_TYPES: Final[Mapping[str, KeyType]] = {"string": "string", "number": "number", "binary": "binary"}
_INDEX_PARTS: Final = ("partition_key", "sort_key")


@define
class Node:
    """What is declared at one path and below it.

    :param elements: of the elements of an array
    """

    kind: Kind | None = None
    children: dict[str, Node] = field(factory=dict)
    elements: Node | None = None

    def below(self, part: str) -> Node | None:
        """The node of a field, or of the elements with ``"[]"``."""
        return self.elements if part == "[]" else self.children.get(part)

    def grown(self, part: str) -> Node:
        """The node of a field or of the elements, made where it is missing."""
        found = self.below(part) or Node()
        if part == "[]":
            self.elements = found
        else:
            self.children[part] = found
        return found

    def is_leaf(self) -> bool:
        """Whether nothing below may be declared."""
        return self.kind in ("object_id", "date", "expiry")


@frozen
class MappedKey:
    """A key attribute and the field that holds it.

    :param path: ``("customer",)``, ``("_id",)`` or ``("_id", "customer")``
    :param kind: how it is stored where that is no portable type
    """

    name: str
    type: KeyType
    path: tuple[str, ...]
    kind: Kind | None = None

    @property
    def field(self) -> str:
        """The field, dotted."""
        return ".".join(self.path)


@frozen
class CollectionMapping:
    """A checked mapping; make it with :func:`read_mapping`.

    :param table: the table as programs see it
    :param keys: the fields of its key, partition key first
    :param tree: what is declared at paths
    """

    collection: str
    table: Table
    keys: tuple[MappedKey, ...]
    tree: Node = field(eq=False)

    @property
    def shape(self) -> Shape:
        """Whether ``_id`` is the key, holds its attributes, or is no part of what items show."""
        first = self.keys[0].path
        return "embedded" if len(first) == 2 else "whole" if first == (ID,) else "fields"


def read_mappings(given: object) -> dict[str, CollectionMapping]:
    """The mappings by table name.

    :raises ConfigurationError: ``problems`` names all that is wrong
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            "mappings is a table of tables, one for each collection: write it in code or in a file"
        )
    found: dict[str, CollectionMapping] = {}
    problems: list[str] = []
    for name, data in given.items():
        try:
            found[name] = read_mapping(name, data)
        except ConfigurationError as error:
            problems += [*error.problems] or [error.message]
    if problems:
        raise ConfigurationError("; ".join(problems), problems=problems)
    return found


def read_mapping(name: str, data: object) -> CollectionMapping:
    """The mapping of one table.

    :raises ConfigurationError: ``problems`` names all that is wrong, each with its field
    """
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"the mapping of {name!r} is a table with partition_key and other fields")
    reader = _Reader(data)
    found = reader.read(name)
    if found is None or reader.problems:
        problems = [f"mapping of {name!r}: {problem}" for problem in reader.problems]
        raise ConfigurationError("; ".join(problems), problems=problems)
    return found


@define
class _Reader:
    """Reads one mapping and collects what is wrong with it."""

    data: Mapping[str, Any]
    problems: list[str] = field(factory=list)
    tree: Node = field(factory=Node)

    def read(self, name: str) -> CollectionMapping | None:
        self.problems += _unknown(self.data, _FIELDS, "field")
        for option, kind in _KINDS.items():
            for path in self.texts(option):
                self.declare(option, kind, path)
        keys = tuple(key for key in (self.key("partition_key"), self.key("sort_key")) if key is not None)
        if "partition_key" not in self.data:
            self.problems.append('partition_key is missing: write partition_key = "_id", or the field that is the key')
        collection = self.text("collection") or name
        if self.problems or not keys:
            return None
        self.problems += _key_problems(keys, self.tree)
        return self.assembled(name, collection, keys)

    def assembled(self, name: str, collection: str, keys: tuple[MappedKey, ...]) -> CollectionMapping | None:
        try:
            check_table_name(name)
            declared = [Key(key.name, key.type) for key in keys]
            sort_key = declared[1] if len(declared) > 1 else None
            ttl, version = self.text("ttl"), self.text("version")
            indexes = tuple(self.indexes())
            table = Table(name, declared[0], sort_key, indexes, ttl, version)
        except IsthmusError as error:
            self.problems.append(error.message)
            return None
        if ttl is not None and (node := self.tree.children.get(ttl)) is not None and node.kind == "date":
            node.kind = "expiry"
        return CollectionMapping(collection, table, keys, self.tree)

    # ---- single fields ----

    def text(self, option: str) -> str | None:
        value = self.data.get(option)
        if value is None or (isinstance(value, str) and value):
            return value
        self.problems.append(f"{option} is a name, not {_what(value)}")
        return None

    def texts(self, option: str) -> list[str]:
        value = self.data.get(option, [])
        if isinstance(value, list | tuple | set | frozenset) and all(isinstance(one, str) for one in value):
            return sorted(value)
        self.problems.append(f'{option} is a list of paths such as ["_id", "lines[].product"], not {_what(value)}')
        return []

    def declare(self, option: str, kind: Kind, text: str) -> None:
        parts = path_parts(text)
        if parts is None:
            self.problems.append(
                f"{option}: {text!r} is no path: write names with dots, and [] for elements of arrays: lines[].product"
            )
            return
        node = self.tree
        for part in parts:
            node = node.grown(part)
            if node.is_leaf() and part is not parts[-1]:
                break
        if node.kind is not None or (kind in ("object_id", "date") and (node.children or node.elements)):
            self.problems.append(f"{option}: {text!r} is declared with another meaning too: keep one of them")
        else:
            node.kind = kind

    def key(self, option: str) -> MappedKey | None:
        value = self.data.get(option)
        if value is None:
            return None
        parts: Any = {"field": value} if isinstance(value, str) else value
        if not isinstance(parts, Mapping) or not all(isinstance(part, str) for part in parts.values()):
            self.problems.append(f"{option} is the name of a field, or a table of field, name and type, all texts")
            return None
        self.problems += [f"{option}: {problem}" for problem in _unknown(parts, _KEY_PARTS, "part")]
        path = path_parts(parts.get("field", ""))
        if path is None or "[]" in path or len(path) > 2 or (len(path) == 2 and path[0] != ID):
            self.problems.append(f"{option}: a key is a field at the top of the document, or one right below _id")
            return None
        return self.typed(option, parts, tuple(path))

    def typed(self, option: str, parts: Mapping[str, str], path: tuple[str, ...]) -> MappedKey | None:
        node = _node_at(self.tree, path)
        kind = None if node is None else node.kind
        type_ = _KEY_TYPES.get(parts.get("type", "string"))
        if type_ is None:
            self.problems.append(f"{option}: type is string, number or binary")
        elif kind == "set" or (kind is not None and type_ != "string"):
            self.problems.append(f"{option}: a key that is an ObjectId or a date is a string to programs, and no set")
        else:
            return MappedKey(parts.get("name", path[-1]), type_, path, kind)
        return None

    def indexes(self) -> Iterator[Index]:
        given = self.data.get("indexes", {})
        if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
            self.problems.append("indexes is a table of tables by index name, each with partition_key and sort_key")
            return
        for name, parts in given.items():
            self.problems += [f"index {name!r}: {problem}" for problem in _unknown(parts, _INDEX_PARTS, "part")]
            keys = [self.index_key(name, parts[part]) for part in _INDEX_PARTS if part in parts]
            if "partition_key" not in parts:
                self.problems.append(f"index {name!r}: partition_key is missing")
            elif len(keys) > 1 and keys[1] is not None and keys[1].type == "binary":
                self.problems.append(f"index {name!r}: {BINARY_SORT_KEY}")
            elif None not in keys:
                yield Index(name, *keys)  # type: ignore[arg-type]  # none of them is None

    def index_key(self, index: str, value: object) -> Key | None:
        parts = {"name": value} if isinstance(value, str) else value
        if not isinstance(parts, Mapping) or not isinstance(parts.get("name"), str) or set(parts) - {"name", "type"}:
            self.problems.append(f"index {index!r}: a key is a field's name, or a table of name and type")
            return None
        node = self.tree.children.get(parts["name"])
        if node is not None and node.kind == "set":
            self.problems.append(f"index {index!r}: {parts['name']!r} is a set, which is no key")
        return Key.of((parts["name"], parts.get("type", "string")))


def path_parts(text: str) -> list[str] | None:
    """The names of a path, with ``"[]"`` for elements, or ``None`` when it is none."""
    found: list[str] = []
    for part in text.split("."):
        name = part.rstrip("[]")
        brackets = part[len(name) :]
        if not name or "[" in name or "\0" in name or brackets != "[]" * (len(brackets) // 2):
            return None
        found += [name, *["[]"] * (len(brackets) // 2)]
    return found


def _node_at(tree: Node, path: tuple[str, ...]) -> Node | None:
    node: Node | None = tree
    for part in path:
        node = None if node is None else node.below(part)
    return node


def _key_problems(keys: tuple[MappedKey, ...], tree: Node) -> Iterator[str]:
    embedded = [len(key.path) == 2 for key in keys]
    if any(embedded) and not all(embedded):
        yield "both keys are fields of _id, or none is"
    if keys[0].path == (ID,) and len(keys) > 1:
        yield "_id alone tells documents apart: leave the sort_key out"
    if len(keys) > 1 and keys[1].type == "binary":
        yield BINARY_SORT_KEY
    in_id = tree.children.get(ID)
    if in_id is not None and not any(key.path[0] == ID for key in keys):
        yield "_id is not shown, because the key is made of other fields: declare nothing for it"
    if any(embedded) and in_id is not None:
        strange = set(in_id.children) - {key.path[-1] for key in keys}
        if strange or in_id.kind is not None:
            yield "_id holds the fields of the key and no others: declare nothing else in it"


def _unknown(given: Mapping[str, Any], known: tuple[str, ...], what: str) -> Iterator[str]:
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            yield f"the {what} {name!r} is unknown: " + (
                f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            )


def _what(value: object) -> str:
    return "an empty text" if value == "" else f"a {type(value).__name__}"
