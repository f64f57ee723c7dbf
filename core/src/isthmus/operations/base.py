"""What all operations share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, Literal, Self

from attrs import field, fields, frozen

from isthmus.capabilities import Capability
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
    :param operation_id: by which the backend knows this write again; see ``isthmus.operation_ids``
    :param repeated: whether an earlier attempt with the same id may have been applied
    """

    actor: str | None = None
    deadline: float | None = None
    operation_id: str | None = None
    repeated: bool = False


@frozen
class Revision:
    """What a reader saw of an item, or that there was none: only the backend that made it can read it.

    Handed back as ``unchanged``, it makes a write depend on the item being as it was seen.
    """

    seen: object = field(default=None, repr=False)


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

    def with_context(self, context: Context) -> Self:
        """A copy with another context."""
        kind: Any = type(self)
        return type(self)(context, *_others(kind)(self))

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


@cache
def _others(kind: type[Operation]) -> Callable[[Operation], tuple[Any, ...]]:
    """Reads all attributes but the context, in the order of the constructor."""
    names = [attribute.name for attribute in fields(kind)][1:]
    # For a single name it would give no tuple.
    return attrgetter(*names) if len(names) > 1 else lambda operation: tuple(getattr(operation, name) for name in names)


@frozen
class TableOperation(Operation):
    """An operation on the items of one table."""

    table: Table

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table.name,)
