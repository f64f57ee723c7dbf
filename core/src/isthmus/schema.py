"""Tables as they are declared: keys, indexes, unique values, expiry, versions and timestamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from attrs import field, frozen

from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus.values import check_key_name, check_name, check_table_name

KeyType = Literal["string", "number", "binary"]
IndexProjection = Literal["all", "keys"] | tuple[str, ...]

_KEY_TYPES: Mapping[object, KeyType] = {
    "string": "string",
    "number": "number",
    "binary": "binary",
    str: "string",
    int: "number",
    bytes: "binary",
}


_NO_NAMES: frozenset[str] = frozenset()


@frozen
class Key:
    """A key attribute: its name and its fixed type (rule KEY-5)."""

    name: str
    type: KeyType = "string"

    def __attrs_post_init__(self) -> None:
        check_key_name(self.name)
        if self.type not in _KEY_TYPES.values():
            raise InvalidArgument(_bad_type(self.name, self.type))

    @classmethod
    def of(cls, declared: KeyDeclaration) -> Key:
        """A key from ``"id"``, ``("id", int)``, ``("id", "number")`` or a ``Key``.

        :raises InvalidArgument: it is none of these
        """
        if isinstance(declared, Key):
            return declared
        if isinstance(declared, str):
            return cls(declared)
        if not _is_pair(declared):
            raise InvalidArgument(f"a key is declared by a name, (name, type) or a Key, not by {_kind(declared)}")
        name, kind = declared
        found = _KEY_TYPES.get(kind) if isinstance(kind, (str, type)) else None
        if found is None:
            raise InvalidArgument(_bad_type(name, kind))
        return cls(name, found)


KeyDeclaration = str | tuple[str, object] | Key


def _key(declared: KeyDeclaration) -> Key:
    return Key.of(declared)


def _optional_key(declared: KeyDeclaration | None) -> Key | None:
    return None if declared is None else Key.of(declared)


def _is_pair(declared: object) -> bool:
    return isinstance(declared, tuple) and len(declared) == 2


def _bad_type(name: object, kind: object) -> str:
    return f"key attribute {name!r} has type {kind!r}: use 'string', 'number' or 'binary'"


def _kind(thing: object) -> str:
    return f"{type(thing).__name__} of {len(thing)}" if isinstance(thing, tuple) else type(thing).__name__


def _projection(declared: IndexProjection | Iterable[str]) -> IndexProjection:
    if isinstance(declared, str):
        if declared not in ("all", "keys"):
            raise InvalidArgument(f"index projection {declared!r} is unknown: use 'all', 'keys' or attribute names")
        return cast("Literal['all', 'keys']", declared)
    if not isinstance(declared, Iterable):
        raise InvalidArgument(f"index projection is 'all', 'keys' or attribute names, not {_kind(declared)}")
    return tuple(check_name(name, top_level=True) for name in declared)


def _held(projection: IndexProjection) -> object:
    """What an index holds besides keys, apart from order and spelling: stores don't keep those."""
    if projection == "all":
        return projection
    return frozenset(() if projection == "keys" else projection)


@frozen
class Index:
    """A secondary index: an item without all of its key attributes is not in it (rule KEY-10)."""

    name: str = field(validator=lambda _instance, _attribute, name: check_table_name(name, "index"))
    partition_key: Key = field(converter=_key)
    sort_key: Key | None = field(default=None, converter=_optional_key)
    projection: IndexProjection = field(default="all", converter=_projection, eq=_held)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The index's own key attributes, partition key first."""
        return (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)


def _names(names: Any) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not found or len(set(found)) < len(found):
        raise InvalidArgument("a unique constraint names at least one attribute, and none twice")
    return tuple(check_key_name(name) for name in found)


def _indexes(indexes: Any) -> tuple[Index, ...]:
    declared = tuple(indexes) if isinstance(indexes, Iterable) else (indexes,)
    if not isinstance(indexes, Iterable) or not all(isinstance(index, Index) for index in declared):
        raise InvalidArgument("indexes are declared by a list of Index objects: write [Index(…)] for a single one")
    return declared


def _only(declared: Any) -> tuple[str, str] | None:
    if declared is None:
        return None
    if not _is_pair(declared) or not all(isinstance(part, str) for part in declared):
        raise InvalidArgument(f"only is a pair of an attribute's name and its text, or None, not {_kind(declared)}")
    return check_name(declared[0], top_level=True), declared[1]


@frozen
class Unique:
    """Attributes whose values no two items of a table share, kept by an index of the store.

    An item without one of them, or with null in one, has no value to be unique. Values are text, numbers, truth values
    or binary.

    :param attributes: top-level attributes, at least one of them no key of the table
    :param only: an attribute and its value, where the constraint is one of items with that value only
    :raises InvalidArgument: no attribute, one twice, or a name that can't be one; ``only`` is no pair of text
    """

    attributes: tuple[str, ...] = field(converter=_names)
    only: tuple[str, str] | None = field(default=None, converter=_only)

    @property
    def name(self) -> str:
        """What tells it from the table's others."""
        whose = "" if self.only is None else f" of {self.only[1]}"
        return "+".join(self.attributes) + whose


def _uniques(declared: Any) -> tuple[Unique, ...]:
    found = tuple(declared) if isinstance(declared, Iterable) else (declared,)
    if not all(isinstance(unique, Unique) for unique in found):
        raise InvalidArgument('unique is declared by a list of Unique objects: write [Unique(["email"])]')
    return found


@frozen(cache_hash=True)
class Table:
    """A declared table.

    :param unique: constraints that an index of the store keeps, where it has such ones (capability ``unique_index``)

    :param ttl: name of the attribute that holds the expiry time, epoch seconds (rule TTL-1)
    :param version: name of the attribute that counts versions, maintained with optimistic locking
    :param created_at: name of the attribute for the creation time, fixed-width UTC text (rule TYP-1)
    :param updated_at: the same for the last change
    """

    name: str = field(validator=lambda _instance, _attribute, name: check_table_name(name))
    partition_key: Key = field(converter=_key)
    sort_key: Key | None = field(default=None, converter=_optional_key)
    # Stores don't keep the order of indexes, so it has no meaning.
    indexes: tuple[Index, ...] = field(default=(), converter=_indexes, eq=frozenset)
    ttl: str | None = None
    version: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    unique: tuple[Unique, ...] = field(default=(), converter=_uniques, eq=frozenset)
    keys: tuple[Key, ...] = field(init=False, eq=False, repr=False)
    key_names: tuple[str, ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        keys = (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "key_names", tuple(key.name for key in keys))
        self._check()

    def _check(self) -> None:
        if len(set(self.key_names)) != len(self.key_names):
            raise InvalidArgument(f"table {self.name!r} uses {self.key_names[0]!r} for both keys: name two attributes")
        names = [index.name for index in self.indexes]
        if len(set(names)) != len(names):
            raise InvalidArgument(f"table {self.name!r} has two indexes of one name: rename one")
        managed = [name for name in (self.ttl, self.version, self.created_at, self.updated_at) if name is not None]
        for name in managed:
            check_key_name(name)
        if len({*managed, *self.key_names}) != len(managed) + len(self.key_names):
            raise InvalidArgument(f"table {self.name!r} gives one attribute two roles: use different names")
        self._check_index_key_types()
        self._check_unique()

    def _check_unique(self) -> None:
        for unique in self.unique:
            if set(unique.attributes) <= set(self.key_names):
                raise InvalidArgument(
                    f"unique constraint {unique.name!r} of table {self.name!r} names keys only: name another attribute"
                )
        if len({unique.name for unique in self.unique}) < len(self.unique):
            raise InvalidArgument(f"table {self.name!r} declares a unique constraint twice: leave one out")

    def _check_index_key_types(self) -> None:
        types: dict[str | None, KeyType] = {key.name: key.type for key in self.keys}
        maintained: dict[str | None, KeyType] = {
            self.version: "number", self.created_at: "string", self.updated_at: "string",
        }  # fmt: skip
        for key in (key for index in self.indexes for key in index.keys):
            if maintained.get(key.name, key.type) != key.type:
                raise InvalidArgument(
                    f"{key.name!r} is maintained as a {maintained[key.name]}: declare the index key with that type"
                )
            if types.setdefault(key.name, key.type) != key.type:
                raise InvalidArgument(f"key attribute {key.name!r} of table {self.name!r} is declared with two types")

    @classmethod
    def declare(
        cls,
        name: str | Table,
        partition_key: KeyDeclaration | None = None,
        sort_key: KeyDeclaration | None = None,
        indexes: Iterable[Index] = (),
        ttl: str | None = None,
        versioned: bool | str = False,
        timestamps: bool = False,
    ) -> Table:
        """A table from the arguments of ``Database.table``.

        :raises InvalidArgument: there is no partition key, or a whole table is given with further arguments
        """
        if isinstance(name, Table):
            if any((partition_key, sort_key, indexes, ttl, versioned, timestamps)):
                raise InvalidArgument(
                    f"the object of table {name.name!r} declares everything itself: leave out the other arguments"
                )
            return name
        if partition_key is None:
            raise InvalidArgument(
                f"table {name!r} needs a partition_key, or open a stored one with database.tables.open()"
            )
        version = "version" if versioned is True else versioned or None
        stamps = ("created_at", "updated_at") if timestamps else (None, None)
        return cls(name, partition_key, sort_key, indexes, ttl, version, *stamps)

    def index(self, name: str) -> Index:
        """The index of that name.

        :raises InvalidArgument: there is none
        """
        for index in self.indexes:
            if index.name == name:
                return index
        known = ", ".join(index.name for index in self.indexes) or "none"
        raise InvalidArgument(f"table {self.name!r} has no index {name!r}; its indexes: {known}")

    @property
    def managed(self) -> frozenset[str]:
        """Attributes that Isthmus maintains and callers don't set by update."""
        if self.version is None and self.created_at is None and self.updated_at is None:
            return _NO_NAMES
        names = (self.version, self.created_at, self.updated_at)
        return frozenset(name for name in names if name is not None)

    def key_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The key attributes of an item that is known to have them."""
        return {name: item[name] for name in self.key_names}

    def to_dict(self) -> dict[str, Any]:
        """The declaration as JSON-ready data; ``from_dict`` reads it back."""
        return {
            "name": self.name,
            "partition_key": _key_to_dict(self.partition_key),
            "sort_key": _key_to_dict(self.sort_key) if self.sort_key else None,
            "indexes": [_index_to_dict(index) for index in self.indexes],
            "ttl": self.ttl,
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            **({"unique": [_unique_to_dict(unique) for unique in self.unique]} if self.unique else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Table:
        """A table from what ``to_dict`` gave.

        :raises ConfigurationError: the data has another shape
        """
        try:
            return cls(
                data["name"],
                _key_from_dict(data["partition_key"]),
                _key_from_dict(data["sort_key"]) if data["sort_key"] else None,
                [_index_from_dict(index) for index in data["indexes"]],
                data["ttl"],
                data["version"],
                data["created_at"],
                data["updated_at"],
                [_unique_from_dict(unique) for unique in data.get("unique", ())],
            )
        except (KeyError, TypeError, ValueError, InvalidArgument) as error:
            raise ConfigurationError("a stored table definition is damaged: restore it from a backup") from error

    def differences(self, stored: Table) -> list[str]:
        """What differs between this declaration and a stored one, a sentence for each point."""
        found = []
        for part in ("partition_key", "sort_key", "ttl", "version", "created_at", "updated_at"):
            declared, there = getattr(self, part), getattr(stored, part)
            if declared != there:
                found.append(f"{part} is declared as {_describe(declared)}, stored as {_describe(there)}")
        found += self._index_differences(stored)
        # Classes that share a table have constraints of their own, so more may be stored than one of them declares.
        return found + [f"unique constraint {unique.name!r} is declared but not stored" for unique in self.unique
                        if unique not in stored.unique]  # fmt: skip

    def _index_differences(self, stored: Table) -> list[str]:
        declared = {index.name: index for index in self.indexes}
        there = {index.name: index for index in stored.indexes}
        found = [f"index {name} is declared but not stored" for name in declared if name not in there]
        found += [f"index {name} is stored but not declared" for name in there if name not in declared]
        found += [f"index {name} is stored with other keys or projection" for name, index in declared.items()
                  if name in there and there[name] != index]  # fmt: skip
        return found


def _describe(part: Key | str | None) -> str:
    if isinstance(part, Key):
        return f"{part.name} ({part.type})"
    return "none" if part is None else part


def _key_to_dict(key: Key) -> dict[str, str]:
    return {"name": key.name, "type": key.type}


def _key_from_dict(data: Mapping[str, str]) -> Key:
    return Key.of((data["name"], data["type"]))


def _index_to_dict(index: Index) -> dict[str, Any]:
    projection = index.projection if isinstance(index.projection, str) else list(index.projection)
    return {
        "name": index.name,
        "partition_key": _key_to_dict(index.partition_key),
        "sort_key": _key_to_dict(index.sort_key) if index.sort_key else None,
        "projection": projection,
    }


def _index_from_dict(data: Mapping[str, Any]) -> Index:
    sort_key = _key_from_dict(data["sort_key"]) if data["sort_key"] else None
    return Index(data["name"], _key_from_dict(data["partition_key"]), sort_key, data["projection"])


def _unique_to_dict(unique: Unique) -> dict[str, Any]:
    return {"attributes": list(unique.attributes), "only": None if unique.only is None else list(unique.only)}


def _unique_from_dict(data: Mapping[str, Any]) -> Unique:
    return Unique(data["attributes"], tuple(data["only"]) if data["only"] else None)
