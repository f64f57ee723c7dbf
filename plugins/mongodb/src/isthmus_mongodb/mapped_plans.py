"""Which operations concern mapped collections, and their plans."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any

from isthmus import operations as op
from isthmus import results as res
from isthmus import slices
from isthmus.errors import IsthmusError
from isthmus.schema import Table
from isthmus_mongodb import mapped_batches, mapped_items, mapped_pages, slice_reading, tables
from isthmus_mongodb.catalogue import Catalogue
from isthmus_mongodb.forms import Form, MappedForm, NativeForm
from isthmus_mongodb.mapped_tables import Mapped, MappedTables

Plan = Generator[Any, Any, Any]
Translate = Callable[..., IsthmusError]

_OF_ITEMS: dict[type[op.Operation], Callable[[Mapped, Any], Plan]] = {
    op.Get: mapped_items.get,
    op.Create: mapped_items.create,
    op.Put: mapped_items.put,
    op.Update: mapped_items.update,
    op.Delete: mapped_items.delete,
    op.Query: mapped_pages.page,
    op.Scan: mapped_pages.page,
    op.GetMany: mapped_batches.get_many,
    slices.DivideTable: lambda mapped, operation: slice_reading.divide(slice_reading.foreign(mapped), operation),
    slices.AskFacts: lambda mapped, _operation: slice_reading.facts(slice_reading.foreign(mapped)),
    slices.ReadSlice: lambda mapped, operation: slice_reading.read(slice_reading.foreign(mapped), operation),
    slices.CountSlice: lambda mapped, operation: slice_reading.count(slice_reading.foreign(mapped), operation),
}
_OF_BATCHES: dict[type[op.Operation], Callable[[Mapped, Any, Any], Plan]] = {
    op.PutMany: mapped_batches.put_many,
    op.DeleteMany: mapped_batches.delete_many,
}


def plan_of(mapped: MappedTables, catalogue: Catalogue, operation: op.Operation, translate: Translate) -> Plan | None:
    """The plan of an operation on a mapped table, or ``None`` where it concerns none.

    :param translate: gives the error of the tree for one of the driver and an operation
    """
    if isinstance(operation, op.ListTables):
        return _list_names(mapped, catalogue)
    if not concerns(mapped, operation) or isinstance(operation, (op.TransactWrite, op.TransactGet)):
        return None
    if isinstance(operation, op.CreateTable):
        return mapped.create(operation)
    if isinstance(operation, op.DescribeTable):
        return mapped.describe(operation)
    if isinstance(operation, op.DropTable):
        return mapped.drop(operation)
    if isinstance(operation, op.Resolve):
        return _unknown()
    assert isinstance(operation, op.TableOperation)
    return _on_table(mapped, operation, translate)


def concerns(mapped: MappedTables, operation: op.Operation) -> bool:
    """Whether an operation names a mapped table."""
    return any(name in mapped for name in operation.table_names)


def _on_table(mapped: MappedTables, operation: op.TableOperation, translate: Translate) -> Plan:
    found = yield from mapped.find(operation.table)
    if type(operation) in _OF_BATCHES:
        return (yield from _OF_BATCHES[type(operation)](found, operation, partial(translate, operation=operation)))
    return (yield from _OF_ITEMS[type(operation)](found, operation))


def _list_names(mapped: MappedTables, catalogue: Catalogue) -> Plan:
    own = yield from tables.list_names(catalogue)
    return res.TablesResult(sorted({*own.names, *(yield from mapped.names())}))


def _unknown() -> Plan:
    """Writes leave no trace in mapped documents, by which their outcome could be told."""
    yield from ()
    return res.ResolveResult("unknown")


def forms_of(mapped: MappedTables, catalogue: Catalogue, declared: Iterable[Table]) -> Generator[Any, Any, list[Form]]:
    """Declared tables for a transaction, of both sorts."""
    found: list[Form] = []
    for table in declared:
        if table.name in mapped:
            found.append(MappedForm((yield from mapped.find(table))))
        else:
            found.append(NativeForm(catalogue.recent(table) or (yield from catalogue.find(table))))
    return found
