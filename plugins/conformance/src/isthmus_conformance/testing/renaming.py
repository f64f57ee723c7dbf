"""A layer that gives each test its own tables: programs say ``users``, the store holds ``<prefix>users``."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from isthmus import Layer, Plugin, Stage, hookimpl
from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import IsthmusError, TransactionFailed
from isthmus.health import DatabaseView
from isthmus.layers import Flow
from isthmus.schema import Table

_INNERMOST = Stage.CACHE + 1


class RenamingLayer(Layer):
    """Puts a prefix in front of every table's name, and takes it off again on the way out.

    ``created`` holds the names, as they are stored, of all tables that may have been created.
    """

    name = "isthmus-testing"
    stage = Stage.TRANSFORM
    order = _INNERMOST  # a program's own layers see the names that it uses

    def __init__(self, prefix: str, created: set[str]) -> None:
        self.prefix = prefix
        self.created = created
        self._tables: dict[Table, Table] = {}

    def flow(self, operation: op.Operation) -> Flow:
        sent = self._renamed(operation)
        if isinstance(sent, op.CreateTable):
            self.created.add(sent.table.name)
        try:
            result = yield sent
        except IsthmusError as error:
            self._restore(error)
            raise
        if isinstance(result, res.TableResult):
            return res.TableResult(evolve(result.table, name=result.table.name.removeprefix(self.prefix)))
        if isinstance(result, res.TablesResult):
            own = (name for name in result.names if name.startswith(self.prefix))
            return res.TablesResult([name.removeprefix(self.prefix) for name in own])
        return result

    def _renamed(self, operation: op.Operation) -> op.Operation:
        if isinstance(operation, op.TransactWrite):
            return evolve(operation, actions=tuple(self._of_table(action) for action in operation.actions))
        if isinstance(operation, op.TransactGet):
            return evolve(operation, gets=tuple(self._of_table(get) for get in operation.gets))
        if isinstance(operation, (op.DescribeTable, op.DropTable)):
            return evolve(operation, name=self.prefix + operation.name)
        # What resolves an operation id has the name from the id, which was made of the stored name.
        return self._of_table(operation) if isinstance(operation, op.TableOperation) else operation

    def _of_table(self, operation: Any) -> Any:
        table = operation.table
        if table not in self._tables:
            self._tables[table] = evolve(table, name=self.prefix + table.name)
        return evolve(operation, table=self._tables[table])

    def _restore(self, error: IsthmusError) -> None:
        error.args = tuple(part.replace(self.prefix, "") if isinstance(part, str) else part for part in error.args)
        if error.table is not None:
            error.table = error.table.replace(self.prefix, "")
        for reason in error.reasons if isinstance(error, TransactionFailed) else ():
            if reason is not None:
                self._restore(reason)


class RenamingPlugin(Plugin):
    """Contributes the layer."""

    name = "isthmus-testing"

    def __init__(self, layer: RenamingLayer) -> None:
        super().__init__()
        self._layer = layer

    @hookimpl
    def isthmus_layers(self, database: DatabaseView) -> list[Layer]:
        """The one layer."""
        return [self._layer]
