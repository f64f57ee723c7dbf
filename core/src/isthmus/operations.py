"""Operations: what callers ask for, as frozen data that layers may rewrite and backends answer.

There is one class for each kind. Arguments are normalised before an operation exists, so layers and backends see
portable values only. ``requires`` names the capabilities that an operation relies on; ``idempotent`` says whether
running it twice means the same as running it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, Self

from attrs import evolve, frozen

from isthmus.capabilities import Capability
from isthmus.expressions import Action as Change
from isthmus.expressions import Changes, Condition, Path, Set, SetIfAbsent
from isthmus.schema import Table
from isthmus.values import Item, Value

MapItem = Callable[[Item], Item]
MapValue = Callable[[str, Value], Value]
Returning = Literal["old", "new"] | None
Select = Literal["items", "count"]
ItemKey = dict[str, Value]


@frozen
class Context:
    """Who calls, and until when.

    :param actor: the caller's name for access control and audit
    :param deadline: seconds on the monotonic clock; retries and pages count against it
    """

    actor: str | None = None
    deadline: float | None = None


@frozen
class Operation:
    """Base of all operations."""

    kind: ClassVar[str]
    writes: ClassVar[bool] = False

    context: Context

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables that it touches."""
        return ()

    @property
    def idempotent(self) -> bool:
        """Whether repeating it after an unknown outcome is safe."""
        return not self.writes

    def requires(self) -> tuple[Capability, ...]:
        """The capabilities that it relies on."""
        return ()

    def map_items(self, function: MapItem) -> Self:
        """A copy in which each carried item went through ``function``.

        Keys, constants of conditions and the changes of updates are no items; see ``map_set_values`` for the last.
        """
        return self

    def map_set_values(self, function: MapValue) -> Self:
        """A copy in which each value that an update puts in place of a whole attribute went through ``function``.

        These are the constants of ``Set`` and ``SetIfAbsent`` at top-level paths; ``function`` gets the attribute's
        name and the value. Every other change is left as it is.
        """
        return self


@frozen
class TableOperation(Operation):
    """An operation on the items of one table."""

    table: Table

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table.name,)


@frozen
class Get(TableOperation):
    """Read one item by its key."""

    kind = "get"

    key: ItemKey
    projection: tuple[Path, ...] | None = None
    consistent: bool = True

    def requires(self) -> tuple[Capability, ...]:
        projection = () if self.projection is None else (Capability.PROJECTION,)
        return (*projection, Capability.STRONG_READ) if self.consistent else projection


@frozen
class Create(TableOperation):
    """Write an item whose key must be free."""

    kind = "create"
    writes = True

    item: Item
    returning: Returning = None

    @property
    def key(self) -> ItemKey:
        """The item's key attributes."""
        return self.table.key_of(self.item)

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.CONDITIONAL_WRITE, *_returning(self.returning))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, item=function(self.item))


@frozen
class Put(TableOperation):
    """Write an item in place of whatever has its key."""

    kind = "put"
    writes = True

    item: Item
    condition: Condition | None = None
    returning: Returning = None

    @property
    def key(self) -> ItemKey:
        """The item's key attributes."""
        return self.table.key_of(self.item)

    @property
    def idempotent(self) -> bool:
        return self.condition is None and self.returning != "old"

    def requires(self) -> tuple[Capability, ...]:
        return (*_conditional(self.condition), *_returning(self.returning))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, item=function(self.item))


@frozen
class Update(TableOperation):
    """Change attributes of one item."""

    kind = "update"
    writes = True

    key: ItemKey
    changes: Changes
    condition: Condition | None = None
    upsert: bool = False
    returning: Returning = None
    expected_version: int | None = None

    def requires(self) -> tuple[Capability, ...]:
        upsert = (Capability.UPSERT,) if self.upsert else ()
        nested = (Capability.NESTED_UPDATE,) if any(len(action.path) > 1 for action in self.changes.actions) else ()
        conditions = _conditional(self.condition)
        return (Capability.UPDATE, *upsert, *nested, *conditions, *_returning(self.returning))

    def map_set_values(self, function: MapValue) -> Self:
        def mapped(change: Change) -> Change:
            if isinstance(change, (Set, SetIfAbsent)) and len(change.path) == 1:
                return evolve(change, value=function(str(change.path[0]), change.value))
            return change

        return evolve(self, changes=Changes(map(mapped, self.changes.actions)))


@frozen
class Delete(TableOperation):
    """Remove one item."""

    kind = "delete"
    writes = True

    key: ItemKey
    condition: Condition | None = None
    returning: Returning = None
    expected_version: int | None = None

    @property
    def idempotent(self) -> bool:
        return self.condition is None and self.returning is None and self.expected_version is None

    def requires(self) -> tuple[Capability, ...]:
        condition = () if self.condition is None else (Capability.CONDITIONAL_DELETE,)
        return (*condition, *_returning(self.returning))


@frozen
class Check(TableOperation):
    """Require a condition of one item inside a transaction, and lock it."""

    kind = "check"

    key: ItemKey
    condition: Condition


Action = Create | Put | Update | Delete | Check


@frozen
class KeyRange:
    """A range of sort-key values; ``prefix`` narrows it for strings and binary values (rule STR-8)."""

    low: Value = None
    high: Value = None
    low_inclusive: bool = True
    high_inclusive: bool = True
    prefix: str | bytes | None = None


@frozen
class Paged(TableOperation):
    """What queries and scans share.

    :param limit: at most this many items are returned (rule QRY-1); ``None`` leaves the page's size to the backend
    :param start: key attributes (of the index too) of the last item of the page before
    :param max_examined: a short page with a position is given after this many candidates (rule QRY-2)
    :param max_bytes: the same after about this many bytes of items
    """

    condition: Condition | None = None
    projection: tuple[Path, ...] | None = None
    limit: int | None = None
    start: Item | None = None
    max_examined: int | None = None
    max_bytes: int | None = None
    select: Select = "items"
    consistent: bool = True

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.FILTER, self.condition is not None),
            (Capability.PROJECTION, self.projection is not None),
            (Capability.COUNT, self.select == "count"),
        ]
        return tuple(capability for capability, used in wanted if used)


@frozen
class Query(Paged):
    """Read items of one partition, of the table or of an index, in sort-key order."""

    kind = "query"

    index: str | None = None
    partition: Value = None
    range: KeyRange | None = None
    forward: bool = True

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.SECONDARY_INDEX, self.index is not None),
            (Capability.STRONG_INDEX_READ, self.index is not None and self.consistent),
            (Capability.STRONG_READ, self.index is None and self.consistent),
            (Capability.ORDERED_QUERY, True),
            (Capability.REVERSE_QUERY, not self.forward),
        ]
        return (*Paged.requires(self), *(capability for capability, used in wanted if used))


@frozen
class Scan(Paged):
    """Read all items of a table, or one of several disjoint segments of it, in no promised order."""

    kind = "scan"

    segment: int = 0
    segments: int = 1

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.SCAN, True),
            (Capability.STRONG_READ, self.consistent),
            (Capability.PARALLEL_SCAN, self.segments > 1),
        ]
        return (*Paged.requires(self), *(capability for capability, used in wanted if used))


@frozen
class GetMany(TableOperation):
    """Read many items by key, each answered at its place (rules BAT-2, BAT-5)."""

    kind = "get_many"

    keys: tuple[ItemKey, ...]
    projection: tuple[Path, ...] | None = None
    consistent: bool = True

    def requires(self) -> tuple[Capability, ...]:
        projection = () if self.projection is None else (Capability.PROJECTION,)
        strong = (Capability.STRONG_READ,) if self.consistent else ()
        return (Capability.BATCH_GET, *projection, *strong)


@frozen
class PutMany(TableOperation):
    """Write many items, without conditions and not atomically (rules BAT-6, BAT-7)."""

    kind = "put_many"
    writes = True

    items: tuple[Item, ...]

    @property
    def idempotent(self) -> bool:
        return True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.BATCH_WRITE,)

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, items=tuple(function(item) for item in self.items))


@frozen
class DeleteMany(TableOperation):
    """Remove many items, without conditions and not atomically."""

    kind = "delete_many"
    writes = True

    keys: tuple[ItemKey, ...]

    @property
    def idempotent(self) -> bool:
        return True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.BATCH_WRITE,)


@frozen
class TransactWrite(Operation):
    """Several writes and checks, over any tables, applied all or not at all.

    :param content: digest of what the caller asked for, where there is a token. Layers may add to the actions what is
        different each time, a timestamp say; a repetition is recognised all the same (rule TXN-8)
    """

    kind = "transact_write"
    writes = True

    actions: tuple[Action, ...]
    token: str | None = None
    content: bytes | None = None

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(action.table.name for action in self.actions))

    @property
    def idempotent(self) -> bool:
        return self.token is not None

    def requires(self) -> tuple[Capability, ...]:
        token = () if self.token is None else (Capability.IDEMPOTENCY_TOKEN,)
        return (Capability.TRANSACT_WRITE, *token, *_of_members(self.actions))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, actions=tuple(action.map_items(function) for action in self.actions))

    def map_set_values(self, function: MapValue) -> Self:
        return evolve(self, actions=tuple(action.map_set_values(function) for action in self.actions))


@frozen
class TransactGet(Operation):
    """Several items, over any tables, as they were at one moment."""

    kind = "transact_get"

    gets: tuple[Get, ...]

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(get.table.name for get in self.gets))

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TRANSACT_GET, *_of_members(self.gets))


@frozen
class CreateTable(TableOperation):
    """Create a table that must not exist."""

    kind = "create_table"
    writes = True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TABLE_MANAGEMENT, *_schema_capabilities(self.table))


@frozen
class DescribeTable(Operation):
    """Read a table's stored definition."""

    kind = "describe_table"

    name: str

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.name,)


@frozen
class ListTables(Operation):
    """Read the names of all tables, in order."""

    kind = "list_tables"


@frozen
class DropTable(Operation):
    """Remove a table with all its items."""

    kind = "drop_table"
    writes = True

    name: str

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.name,)

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TABLE_MANAGEMENT,)


# A transaction answers with no images, and its reads are strong by nature.
_NOT_IN_TRANSACTIONS = frozenset({Capability.RETURN_OLD, Capability.RETURN_NEW, Capability.STRONG_READ})


def _of_members(members: Iterable[Operation]) -> tuple[Capability, ...]:
    """What the members of a transaction rely on, each once."""
    wanted = dict.fromkeys(capability for member in members for capability in member.requires())
    return tuple(capability for capability in wanted if capability not in _NOT_IN_TRANSACTIONS)


def _conditional(condition: Condition | None) -> tuple[Capability, ...]:
    return () if condition is None else (Capability.CONDITIONAL_WRITE,)


def _returning(returning: Returning) -> tuple[Capability, ...]:
    if returning is None:
        return ()
    return (Capability.RETURN_OLD,) if returning == "old" else (Capability.RETURN_NEW,)


def _schema_capabilities(table: Table) -> tuple[Capability, ...]:
    types = {key.type for key in (*table.keys, *(key for index in table.indexes for key in index.keys))}
    wanted = [
        (Capability.SECONDARY_INDEX, bool(table.indexes)),
        (Capability.TTL, table.ttl is not None),
        (Capability.NUMBER_KEY, "number" in types),
        (Capability.BINARY_KEY, "binary" in types),
    ]
    return tuple(capability for capability, used in wanted if used)


ITEM_OPERATIONS: tuple[type[Operation], ...] = (
    Get, Create, Put, Update, Delete, Query, Scan, GetMany, PutMany, DeleteMany, TransactWrite, TransactGet,
)  # fmt: skip
TABLE_OPERATIONS: tuple[type[Operation], ...] = (CreateTable, DescribeTable, ListTables, DropTable)
OPERATIONS: tuple[type[Operation], ...] = ITEM_OPERATIONS + TABLE_OPERATIONS
