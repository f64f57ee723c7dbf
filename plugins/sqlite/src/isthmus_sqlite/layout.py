"""How an Isthmus table is laid out in SQL: columns, encodings and statements.

One SQL table for each table, clustered by its key. It has a column for each attribute that is a key of the table or of
an index, in an encoding whose SQL order is the contract's: strings as TEXT, binary values as BLOB, numbers as the BLOB
of ``ordered_bytes``. The whole item stands beside them as JSON text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from isthmus.capabilities import Limits
from isthmus.errors import InvalidStoredValue
from isthmus.operations import KeyRange
from isthmus.ranges import bounds
from isthmus.schema import Index, Key, Table
from isthmus.values import Item, Value, dumps, from_ordered_bytes, loads_trusted, ordered_bytes
from isthmus.writes import check_index_keys, is_number

Params = tuple[Any, ...]
Encoder = Callable[[Any], Any]


def _itself(value: Any) -> Any:
    return value


def _only_number(stored: bytes) -> Value:
    (number,) = from_ordered_bytes(stored)
    return number


_ENCODERS: Mapping[str, Encoder] = {"string": _itself, "binary": _itself, "number": ordered_bytes}
_DECODERS: Mapping[str, Encoder] = {"string": _itself, "binary": _itself, "number": _only_number}
_SQL_TYPES = {"string": "TEXT", "binary": "BLOB", "number": "BLOB"}


def stored_item(text: object) -> Item:
    """The item of what the column ``item`` holds.

    :raises InvalidStoredValue: it is not the JSON of an item
    """
    item = loads_trusted(text) if isinstance(text, str) else None
    if not isinstance(item, dict):
        raise InvalidStoredValue("a stored item is damaged or was written by something else: restore it from a backup")
    return item


def expiry(value: Value) -> float | None:
    """The expiry column: the smallest float that is not below the time, so that comparing it with a float is exact."""
    if not is_number(value):
        return None
    rounded = float(value)
    return rounded if rounded >= value else math.nextafter(rounded, math.inf)


@frozen(eq=False)
class Column:
    """One column of an attribute that is a key of the table or of an index."""

    name: str
    key: Key
    encode: Encoder = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "encode", _ENCODERS[self.key.type])

    @property
    def declaration(self) -> str:
        """The column in CREATE TABLE."""
        return f"{self.name} {_SQL_TYPES[self.key.type]}"

    def of(self, item: Item) -> Any:
        """The column's value for an item; ``None`` if it lacks the attribute."""
        return self.encode(item[self.key.name]) if self.key.name in item else None

    def decode(self, stored: Any) -> Value:
        """The attribute's value behind the column's.

        :raises InvalidStoredValue: a number's column holds something else
        """
        value: Value = _DECODERS[self.key.type](stored)
        return value


@frozen(eq=False)
class Order:
    """The order of a table or of one of its indexes: the columns of a position, partition column first."""

    columns: tuple[Column, ...]
    source: str
    present: str = ""

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns that order items within one partition."""
        return self.columns[1:]

    def where(self, partition: Value, reach: KeyRange | None) -> tuple[str, list[Any]]:
        """The SQL condition for one partition and a range of its sort key."""
        first = self.columns[0]
        parts, params = [f"{first.name} = ?"], [first.encode(partition)]
        limit = bounds(reach) if reach is not None else KeyRange()
        for bound, operator in (
            (limit.low, ">=" if limit.low_inclusive else ">"),
            (limit.high, "<=" if limit.high_inclusive else "<"),
        ):
            if bound is not None:
                parts.append(f"{self.columns[1].name} {operator} ?")
                params.append(self.columns[1].encode(bound))
        return " AND ".join(parts) + self.present, params


def after(columns: tuple[Column, ...], start: Item, *, forward: bool = True) -> tuple[str, list[Any]]:
    """The SQL condition for what follows a position."""
    names, places = ", ".join(column.name for column in columns), ", ".join("?" * len(columns))
    return f"({names}) {'>' if forward else '<'} ({places})", [
        column.encode(start[column.key.name]) for column in columns
    ]


@frozen(eq=False)
class Layout:
    """Columns and statements of one stored table.

    :param number: the table's number in the catalogue
    """

    table: Table
    number: int
    name: str = field(init=False)
    columns: tuple[Column, ...] = field(init=False)
    keys: tuple[Column, ...] = field(init=False)
    orders: Mapping[str | None, Order] = field(init=False)
    get: str = field(init=False)
    put: str = field(init=False)
    create: str = field(init=False)
    delete: str = field(init=False)
    purge: str = field(init=False)
    visible: str = field(init=False)
    row: Callable[[Item], Params] = field(init=False)
    key: Callable[[Item], Params] = field(init=False)

    def __attrs_post_init__(self) -> None:
        columns = _columns(self.table)
        keys = columns[: len(self.table.keys)]
        name = f'"{self.table.name}:{self.number}"'
        derived = {
            "name": name,
            "columns": columns,
            "keys": keys,
            "orders": _orders(self.table, name, {column.key.name: column for column in columns}),
            "visible": "(expires IS NULL OR expires > ?)" if self.table.ttl else "",
            "row": _row_maker(self.table, columns),
            "key": _key_maker(keys),
            **_statements(self.table, name, columns, keys),
        }
        for attribute, value in derived.items():
            object.__setattr__(self, attribute, value)

    def check(self, declared: Table, item: Item | None, limits: Limits) -> None:
        """Refuse wrong keys of stored indexes; an item was checked against the declared ones already.

        :raises InvalidKey: naming the attribute
        """
        if item is not None and self.table.indexes != declared.indexes:
            check_index_keys(self.table, item, limits)

    def definition(self) -> list[str]:
        """The statements that create the SQL table and its indexes."""
        keys = ", ".join(column.name for column in self.keys)
        extra = [*(["expires REAL"] if self.table.ttl else []), "item TEXT NOT NULL", f"PRIMARY KEY ({keys})"]
        body = ", ".join([*(column.declaration for column in self.columns), *extra])
        statements = [f"CREATE TABLE {self.name} ({body}) WITHOUT ROWID"]
        statements += map(self._index_definition, self.table.indexes)
        if self.table.ttl:
            name = self.name[:-1] + ':expires"'
            statements.append(f"CREATE INDEX {name} ON {self.name} (expires) WHERE expires IS NOT NULL")
        return statements

    def _index_definition(self, index: Index) -> str:
        order = self.orders[index.name]
        columns = ", ".join(column.name for column in order.columns)
        name, present = _index_name(self.table, self.name, index), order.present.removeprefix(" AND ")
        return f"CREATE INDEX {name} ON {self.name} ({columns}) WHERE {present}"


def _columns(table: Table) -> tuple[Column, ...]:
    keys = {key.name: key for key in (*table.keys, *(key for index in table.indexes for key in index.keys))}
    return tuple(Column(f"k{place}", key) for place, key in enumerate(keys.values()))


def _orders(table: Table, name: str, columns: Mapping[str, Column]) -> dict[str | None, Order]:
    orders: dict[str | None, Order] = {None: Order(tuple(columns[name] for name in table.key_names), name)}
    for index in table.indexes:
        names = dict.fromkeys((*(key.name for key in index.keys), *table.key_names))
        # The same words as in the index's own WHERE, which lets SQLite use it.
        present = "".join(f" AND {columns[key.name].name} IS NOT NULL" for key in index.keys)
        source = f"{name} INDEXED BY {_index_name(table, name, index)}"
        orders[index.name] = Order(tuple(columns[name] for name in names), source, present)
    return orders


def _index_name(table: Table, name: str, index: Index) -> str:
    # SQL names don't tell upper from lower case, names of indexes do: the place makes them different.
    return f'{name[:-1]}:index{table.indexes.index(index)}:{index.name}"'


def _statements(table: Table, name: str, columns: tuple[Column, ...], keys: tuple[Column, ...]) -> dict[str, str]:
    here = " AND ".join(f"{column.name} = ?" for column in keys)
    names = [*(column.name for column in columns), *(["expires"] if table.ttl else []), "item"]
    values = f"INTO {name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    key = ", ".join(column.name for column in keys)
    changes = ", ".join(f"{column} = excluded.{column}" for column in names[len(keys) :])
    # A create replaces what has expired: it is not there for anybody.
    taken = f"UPDATE SET {changes} WHERE expires <= ?" if table.ttl else "NOTHING"
    visible = " AND (expires IS NULL OR expires > ?)" if table.ttl else ""
    return {
        "get": f"SELECT item FROM {name} WHERE {here}{visible}",
        "put": f"INSERT OR REPLACE {values}",
        "create": f"INSERT {values} ON CONFLICT ({key}) DO {taken}",
        "delete": f"DELETE FROM {name} WHERE {here}",
        "purge": f"DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE expires <= ? LIMIT ?)",
    }


def _key_maker(keys: tuple[Column, ...]) -> Callable[[Item], Params]:
    if len(keys) == 1:
        only, encode = keys[0].key.name, keys[0].encode
        return lambda item: (encode(item[only]),)
    (first, first_encode), (second, second_encode) = ((column.key.name, column.encode) for column in keys)
    return lambda item: (first_encode(item[first]), second_encode(item[second]))


def _row_maker(table: Table, columns: tuple[Column, ...]) -> Callable[[Item], Params]:
    keys, others = _key_maker(columns[: len(table.keys)]), columns[len(table.keys) :]
    ttl = table.ttl
    if ttl is not None:
        return lambda item: (*keys(item), *(column.of(item) for column in others), expiry(item.get(ttl)), dumps(item))
    if others:
        return lambda item: (*keys(item), *(column.of(item) for column in others), dumps(item))
    return lambda item: (*keys(item), dumps(item))
