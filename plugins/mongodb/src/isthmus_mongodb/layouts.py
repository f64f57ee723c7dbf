"""How a table's items lie in its collection: what is in ``_id``, and which hidden fields stand beside the attributes.

================ ==================================================================================================
field            content
================ ==================================================================================================
``_id``          the key attributes, in key-schema order; binary ones as lower-case hexadecimal text, whose order is
                 that of the bytes, as BSON sorts binary values by length first (rules KEY-7, BIN-1)
``__op``         id of the operation that wrote last, where it had one (rule CND-7)
``__exp``        the expiry attribute as a date, for the server's TTL index; our clock reads the attribute itself
``__lk``         counter that transactions bump to lock an item that they only check (rule TXN-5)
``__rev``        16 random bytes, new for each write, where transactions of the core's fallback may run
``__tx``         the lock of such a transaction, with the item as it will be
``__ix_<name>``  hexadecimal text of a binary attribute that is a key of an index, and no key of the table
================ ==================================================================================================
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import field, frozen

from isthmus.schema import Key, Table
from isthmus_mongodb.names import escape

OPERATION: Final = "__op"
EXPIRY: Final = "__exp"
LOCK: Final = "__lk"
REVISION: Final = "__rev"
TRANSACTION: Final = "__tx"
INDEX_PREFIX: Final = "__ix_"


@frozen
class KeyField:
    """A key attribute: its name, its stored name inside ``_id``, and its type.

    :param binary: kept as hexadecimal text
    """

    name: str
    stored: str
    binary: bool
    number: bool


@frozen
class Layout:
    """The layout of one table; make it with :func:`layout_of`."""

    table: Table
    keys: tuple[KeyField, ...]
    indexed: dict[str, str]
    """Binary index key attributes, each with its hidden field."""
    by_name: dict[str, KeyField] = field(init=False)
    watched: frozenset[str] = field(init=False)
    """Attributes from which hidden fields are derived."""

    index_names: frozenset[str] = field(init=False)
    """All attributes that are keys of an index."""
    hidden: frozenset[str] = field(init=False)
    """Fields that are no attributes."""

    @by_name.default
    def _by_name(self) -> dict[str, KeyField]:
        return {key.name: key for key in self.keys}

    @watched.default
    def _watched(self) -> frozenset[str]:
        return frozenset(self.indexed) | ({self.table.ttl} if self.table.ttl is not None else frozenset())

    @index_names.default
    def _index_names(self) -> frozenset[str]:
        return frozenset(key.name for index in self.table.indexes for key in index.keys)

    @hidden.default
    def _hidden(self) -> frozenset[str]:
        return frozenset({"_id", OPERATION, EXPIRY, LOCK, REVISION, TRANSACTION, *self.indexed.values()})

    def index_field(self, name: str) -> str:
        """The dotted field under which an index finds a key attribute."""
        if name in self.by_name:
            return f"_id.{self.by_name[name].stored}"
        return self.indexed.get(name) or escape(name)


@lru_cache(maxsize=1024)
def layout_of(table: Table) -> Layout:
    """The layout of a table, as it is stored."""
    keys = tuple(KeyField(key.name, escape(key.name), key.type == "binary", key.type == "number") for key in table.keys)
    return Layout(table, keys, {key.name: INDEX_PREFIX + escape(key.name) for key in _binary_index_keys(table)})


def _binary_index_keys(table: Table) -> list[Key]:
    every = [key for index in table.indexes for key in index.keys]
    return [key for key in every if key.type == "binary" and key.name not in table.key_names]
