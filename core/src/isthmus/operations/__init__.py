"""Operations: what callers ask for, as frozen data that layers may rewrite and backends answer.

There is one class for each kind. Arguments are normalised before an operation exists, so layers and backends see
portable values only. ``requires`` names the capabilities that an operation relies on; ``idempotent`` says whether
running it twice means the same as running it once.
"""

from __future__ import annotations

from isthmus.operations.base import (
    Context,
    ItemKey,
    MapItem,
    MapValue,
    Operation,
    Returning,
    Revision,
    Select,
    TableOperation,
)
from isthmus.operations.batches import DeleteMany, GetMany, PutMany
from isthmus.operations.items import Action, Check, Create, Delete, Get, Put, Resolve, Update
from isthmus.operations.selections import KeyRange, Paged, Query, Scan
from isthmus.operations.tables import CreateTable, DescribeTable, DropTable, FindHolder, KeepUnique, ListTables
from isthmus.operations.transactions import TransactGet, TransactWrite

ITEM_OPERATIONS: tuple[type[Operation], ...] = (
    Get, Create, Put, Update, Delete, Query, Scan, GetMany, PutMany, DeleteMany, TransactWrite, TransactGet,
    Resolve,
)  # fmt: skip
TABLE_OPERATIONS: tuple[type[Operation], ...] = (
    CreateTable, DescribeTable, ListTables, DropTable, KeepUnique, FindHolder,
)  # fmt: skip
OPERATIONS: tuple[type[Operation], ...] = ITEM_OPERATIONS + TABLE_OPERATIONS

__all__ = [
    "ITEM_OPERATIONS",
    "OPERATIONS",
    "TABLE_OPERATIONS",
    "Action",
    "Check",
    "Context",
    "Create",
    "CreateTable",
    "Delete",
    "DeleteMany",
    "DescribeTable",
    "DropTable",
    "FindHolder",
    "Get",
    "GetMany",
    "ItemKey",
    "KeepUnique",
    "KeyRange",
    "ListTables",
    "MapItem",
    "MapValue",
    "Operation",
    "Paged",
    "Put",
    "PutMany",
    "Query",
    "Resolve",
    "Returning",
    "Revision",
    "Scan",
    "Select",
    "TableOperation",
    "TransactGet",
    "TransactWrite",
    "Update",
]
