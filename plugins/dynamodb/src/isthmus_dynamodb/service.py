"""What all plans are given: whose clock counts, what the service calls its tables, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from attrs import evolve, field, frozen

from isthmus.backends import Clock
from isthmus.capabilities import Limits
from isthmus.operations import Operation
from isthmus.schema import Table
from isthmus_dynamodb.known_tables import KnownTables
from isthmus_dynamodb.names import TableNames

_PORTABLE: Final = Limits(number_digits=38)
# What the backend adds to each action of a transaction, or once for its token.
_ADDED: Final = 32

LIMITS: Final = evolve(
    _PORTABLE, transaction_bytes=_PORTABLE.transaction_bytes - _ADDED * (_PORTABLE.transaction_actions + 5)
)


def _count_nothing(_operation: Operation, _members: int) -> None:
    """Nobody counts."""


@frozen
class Service:
    """The service as plans see it.

    :param clock: seconds since the epoch, by which items expire
    :param marks: whether writes may leave hidden attributes in items
    :param count_throttled: told of members of a batch that were turned away and are sent again by the plan itself
    """

    clock: Clock
    names: TableNames
    known: KnownTables
    limits: Limits = field(default=LIMITS)
    marks: bool = True
    count_throttled: Callable[[Operation, int], None] = _count_nothing

    def table(self, table: Table) -> str:
        """What a table is called in the service."""
        return self.names.native(table.name)

    def admit(self, table: Table) -> Generator[Any, Any, None]:
        """Compare a declared table with the stored one, unless this very declaration was compared before.

        :raises TableNotFound: there is no such table
        :raises SchemaMismatch: it has another key
        """
        if not self.known.accepts(table):
            yield from self.known.check(table)
