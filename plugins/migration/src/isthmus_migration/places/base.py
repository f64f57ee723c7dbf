"""What a migration needs of a place: reading in slices, looking items up, writing them exactly as given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from attrs import frozen

from isthmus.capabilities import Limits
from isthmus.errors import IsthmusError, UnsupportedOperation
from isthmus.operations import Revision
from isthmus.schema import Table
from isthmus.slices import DEFAULT_BYTES, Counted, Slice
from isthmus.values import Item
from isthmus_migration.digests import BucketDigest
from isthmus_migration.places.identities import Identity, folder_identity


@frozen
class Part:
    """Where the items of one slice go, for places that keep each slice in a file of its own.

    :param unit: the unit's name in the journal
    :param sequence: the slice's number within the unit
    """

    unit: str
    sequence: int


@frozen
class Refusal:
    """An item that a place will never take as it is.

    :param position: its place in the batch
    """

    position: int
    error: IsthmusError


@frozen
class Receipt:
    """What became of a batch. Whatever is not refused is stored.

    :param retried: requests that were sent again
    :param throttled: requests, or members of batches, that the store turned away for a moment
    """

    refusals: tuple[Refusal, ...] = ()
    retried: int = 0
    throttled: int = 0


@frozen
class Seen:
    """What is stored under a key.

    :param found: the item, ``None`` where there is none, or the error for one that can't be read
    :param revision: of what was found; ``None`` where the place knows of no revisions, and where it can't be read
    """

    found: Item | IsthmusError | None
    revision: Revision | None = None


@frozen
class Change:
    """What shall stand under a key in place of what was seen.

    :param item: ``None`` to remove what is there
    """

    key: Item
    item: Item | None
    seen: Seen


@frozen
class TableFacts:
    """What a place says of a table without reading all of it.

    :param items: about how many items it has; ``None`` where only reading could tell
    :param size: about how many bytes
    """

    items: int | None = None
    size: int | None = None


class Place(ABC):
    """A database, or a folder with an export. It is a context manager, and is used by one thread at a time."""

    name: str
    """For people: the URL without secrets, or the folder."""
    form: str = "json"
    """What the original bytes of unreadable items are: the backend's name for databases."""
    readable: bool = True
    writable: bool = True
    holds_keys: bool = True
    """Whether ``get_many`` is cheap: false where a look-up reads everything."""
    keeps_parts: bool = False
    """Whether each slice is kept in a file of its own until ``finish``."""
    unique_keys: bool = True
    """Whether no two items can have one key: files can hold anything."""
    knows_revisions: bool = False
    """Whether a ``swap`` is refused where others have written since the ``look``; else it replaces anything."""
    limits: Limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def identity(self) -> Identity:
        """What tells this place from others; a folder's unless it is overridden."""
        return folder_identity(self.name)

    def kept(self, table: Table) -> Table:
        """A definition as this place can keep it."""
        return table

    @abstractmethod
    def close(self) -> None:
        """Release everything."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """The definitions of all tables, in the order of their names."""

    @abstractmethod
    def table(self, name: str) -> Table:
        """The stored definition.

        :raises TableNotFound: there is none
        """

    def facts(self, table: Table) -> TableFacts:
        """What is known of a table beforehand."""
        return TableFacts()

    def unmet_needs(self, table: Table, *, created: bool) -> list[str]:
        """Why the place can't hold a table, a sentence for each reason.

        :param created: whether the table is to be created
        """
        return []

    def refusal(self, table: Table, item: Item) -> IsthmusError | None:
        """Why an item can't be written, as far as can be told without writing it."""
        return None

    def losses(self, table: Table, items: Sequence[Item]) -> list[str]:
        """What would be lost of items that are taken and may not be lost, a sentence for each reason."""
        return []

    def digest(self, table: Table) -> BucketDigest | None:
        """What the place says itself that all items of a table come to; ``None`` where it says nothing."""
        return None

    def give_up(self) -> None:  # noqa: B027  # what a slice writes to a file harms nobody
        """Send no more writes, although a thread is in the middle of them: nobody waits for it. It ends by ``Closed``.

        Called from another thread.
        """

    # ---- reading ----

    @abstractmethod
    def units(self, table: Table, wanted: int) -> list[str]:
        """Divide a table for reading side by side; see ``isthmus.slices``."""

    @abstractmethod
    def read(self, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        """Read a run of a unit's items."""

    def count(self, table: Table, unit: str, cursor: str | None, *, items: int) -> Counted:
        """Count a run of a unit's items, about so many; the cursor is for counting alone."""
        found = self.read(table, unit, cursor, items=items, size=DEFAULT_BYTES)
        return Counted(len(found.items) + len(found.unreadable), found.cursor)

    @abstractmethod
    def get_many(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        """The items of some keys, in order, ``None`` for missing ones."""

    def look(self, table: Table, keys: Sequence[Item]) -> list[Seen]:
        """What stands under some keys, in order, for a ``swap``; an item that can't be read harms no other.

        :raises IsthmusError: the place can't be used now
        """
        return [Seen(item) for item in self.get_many(table, keys)]

    # ---- writing ----

    @abstractmethod
    def create(self, table: Table) -> None:
        """Create a table.

        :raises AlreadyExists: there is one of that name
        """

    @abstractmethod
    def drop(self, table: Table) -> None:
        """Remove a table with all its items."""

    @abstractmethod
    def put_many(
        self, table: Table, items: Sequence[Item], part: Part, *, normal: bool = False, new: bool = False
    ) -> Receipt:
        """Store items exactly as given, replacing those with the same keys; no two have the same key.

        :param normal: whether all items are known to be in normal form and within the place's limits
        :param new: whether most likely none of the keys is taken, for which a place may have a faster way

        What is throttled or left unprocessed is sent again until it is stored or refused for good.

        :raises IsthmusError: the place can't be used now; some items may be stored
        """

    @abstractmethod
    def delete_many(self, table: Table, keys: Sequence[Item]) -> Receipt:
        """Remove items; missing ones are no failure."""

    def swap(self, table: Table, changes: Sequence[Change]) -> Receipt:
        """Put items in place of what was seen, or remove that, where it still is what was seen; no two have one key.

        Where it is not, that change is refused with ``ItemChanged``, and nothing is written. A change of what was seen
        without a revision is made whatever is there.

        :raises IsthmusError: the place can't be used now; some of it may be done
        """
        raise UnsupportedOperation(
            f"items can't be changed in {self.name}", capability="revision", reason="it does not tell what was changed"
        )

    def has_part(self, table: Table, part: Part) -> bool:
        """Whether a slice has written something that is not finished yet."""
        return False

    def finish(self, table: Table, parts: Sequence[Part]) -> None:  # noqa: B027  # most places have nothing to finish
        """Learn that a table is complete and which parts make it up; called once, after its last slice."""
