"""How tables are created: what a portable declaration does not say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen

from isthmus.errors import InvalidArgument
from isthmus.schema import Index, Table
from isthmus_dynamodb.native import Json

Billing = Literal["on_demand", "provisioned"]


def _set_of(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@frozen
class TableSettings:
    """How ``create`` and ``ensure`` make tables; tables that exist are not changed by it.

    :param billing: ``"on_demand"``, or ``"provisioned"`` with the units below
    :param read_units: read capacity of a table and of each of its global indexes
    :param write_units: write capacity, likewise
    :param local_indexes: indexes that are made as local ones, each as ``"index"`` or ``"table.index"``; all others are
        global
    """

    billing: Billing = "on_demand"
    read_units: int = 5
    write_units: int = 5
    local_indexes: frozenset[str] = field(default=frozenset(), converter=_set_of)

    def is_local(self, table: Table, index: Index) -> bool:
        """Whether an index is to be a local one.

        :raises InvalidArgument: it can't be one
        """
        if not self.local_indexes & {index.name, f"{table.name}.{index.name}"}:
            return False
        if table.sort_key is None or index.sort_key is None or index.partition_key != table.partition_key:
            raise InvalidArgument(
                f"index {index.name!r} of table {table.name!r} can't be local: the table and the index need sort keys,"
                " and the index the table's partition key"
            )
        return True

    def capacity(self) -> Json:
        """The part of ``CreateTable`` that pays for a table."""
        if self.billing == "on_demand":
            return {"BillingMode": "PAY_PER_REQUEST"}
        return {"BillingMode": "PROVISIONED", **self._throughput()}

    def index_capacity(self) -> Json:
        """The same for one global index."""
        return {} if self.billing == "on_demand" else self._throughput()

    def _throughput(self) -> Json:
        return {"ProvisionedThroughput": {"ReadCapacityUnits": self.read_units, "WriteCapacityUnits": self.write_units}}
