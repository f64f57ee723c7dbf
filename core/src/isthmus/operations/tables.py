"""Creating, describing, listing and dropping tables."""

from __future__ import annotations

from attrs import frozen

from isthmus.capabilities import Capability
from isthmus.operations.base import Operation, TableOperation
from isthmus.schema import Table, Unique
from isthmus.values import Value


@frozen
class CreateTable(TableOperation):
    """Create a table that must not exist."""

    kind = "create_table"
    writes = True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TABLE_MANAGEMENT, *_schema_capabilities(self.table))


@frozen
class KeepUnique(TableOperation):
    """Have a stored table keep the unique constraints of its declaration, besides those that it keeps already.

    :param drop: constraints that it is to keep no longer
    """

    kind = "keep_unique"
    writes = True

    drop: tuple[Unique, ...] = ()

    @property
    def idempotent(self) -> bool:
        return True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TABLE_MANAGEMENT, Capability.UNIQUE_INDEX)


@frozen
class FindHolder(TableOperation):
    """Read the item that holds the values of a unique constraint, as of the store, not of a unit of work.

    :param values: in the order of the constraint's attributes
    """

    kind = "find_holder"

    unique: Unique
    values: tuple[Value, ...]

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.UNIQUE_INDEX,)


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


def _schema_capabilities(table: Table) -> tuple[Capability, ...]:
    types = {key.type for key in (*table.keys, *(key for index in table.indexes for key in index.keys))}
    wanted = [
        (Capability.SECONDARY_INDEX, bool(table.indexes)),
        (Capability.TTL, table.ttl is not None),
        (Capability.NUMBER_KEY, "number" in types),
        (Capability.BINARY_KEY, "binary" in types),
        (Capability.UNIQUE_INDEX, bool(table.unique)),
    ]
    return tuple(capability for capability, used in wanted if used)
