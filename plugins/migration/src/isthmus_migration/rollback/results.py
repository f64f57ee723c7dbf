"""What a rollback came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from attrs import asdict, field, frozen

Action = Literal["dropped", "absent", "kept", "restored"]


@frozen
class Conflict:
    """An item that was left as it is, because it is not what the migration wrote.

    :param table: of the target
    :param key: the target's key as lossless JSON text
    :param reason: ``changed`` since it was written; ``not_ours`` in a table that would have been dropped, or
        ``former_plan`` where that may be what the migration wrote under a plan whose code is gone; else the code of
        the error with which the target refused it
    """

    table: str
    key: str = field(repr=False)
    reason: str


@frozen
class TableRollback:
    """What became of one table of the target.

    :param action: ``dropped``: the migration had created it; ``absent``: it never came to be, or is gone; ``kept``: the
        migration had created it, but others have written into it; ``restored``: it was there before
    :param restored: items put back or deleted
    :param unchanged: items that were as before
    :param conflicts: items left as they are
    :param equal: whether the digest is the one from before, but for the conflicts; ``None`` where there was none, or
        where items are gone that may have expired since
    :param differing_buckets: buckets, of 65,536, in which it is not: others have written keys that the migration never
        did
    :param fewer_buckets: buckets that hold fewer items than before, in a table whose items expire; none of their items
        that never do is gone
    """

    table: str
    action: Action
    restored: int = 0
    unchanged: int = 0
    conflicts: int = 0
    equal: bool | None = None
    differing_buckets: int = 0
    fewer_buckets: int = 0


@frozen
class RollbackResult:
    """How a rollback ended.

    :param finished: whether all is done; else call it again
    :param reason: what was in the way, where it did not finish
    """

    finished: bool
    tables: tuple[TableRollback, ...] = ()
    reason: str = ""

    @property
    def conflicts(self) -> int:
        """How many items were left as they are."""
        return sum(table.conflicts for table in self.tables)

    @property
    def clean(self) -> bool:
        """Whether the target is what it was before the migration, in everything."""
        proven = all(table.equal is not False and table.action != "kept" for table in self.tables)
        return self.finished and proven and not self.conflicts

    def __iter__(self) -> Iterator[TableRollback]:
        return iter(self.tables)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return {**asdict(self), "tables": [asdict(table) for table in self.tables], "conflicts": self.conflicts,
                "clean": self.clean}  # fmt: skip
