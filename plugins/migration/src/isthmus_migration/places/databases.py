"""Databases of any backend as places, through all of their layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from attrs import evolve

from isthmus import errors
from isthmus.bound_table import BoundTable
from isthmus.capabilities import Capability
from isthmus.copying import verbatim
from isthmus.database import Database
from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.metrics import recording
from isthmus.operations import PutMany
from isthmus.results import WriteManyResult
from isthmus.schema import Table
from isthmus.slices import Counted, Slice, SliceReader, slice_reader
from isthmus.values import Item
from isthmus_migration.places.base import Change, Part, Place, Receipt, Refusal, Seen, TableFacts
from isthmus_migration.places.faults import PLACE_FAULTS
from isthmus_migration.places.identities import Identity, database_identity
from isthmus_migration.places.needs import unmet_needs
from isthmus_migration.places.readable import check_reads, readable_items
from isthmus_migration.places.swapping import is_place_s, look, swap
from isthmus_migration.places.traffic import Traffic
from isthmus_migration.places.waits import Waits


class DatabasePlace(Place):
    """An opened database; ``close`` closes it unless it is somebody else's.

    :param borrowed: whether somebody else closes the database
    :param url: what the database was opened with, secrets and all, to know it again; never shown
    """

    def __init__(
        self, database: Database, *, borrowed: bool = False, url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.database = database
        self.name = database.url
        self._url = url or database.url
        self.form = database.backend_name
        self.limits = database.limits
        self.knows_revisions = database.capabilities.supports(Capability.REVISION)
        self._traffic = Traffic()
        self._given_up = False
        self._borrowed = borrowed
        self._sleep = sleep
        self._bound: dict[str, BoundTable] = {}
        self._readers: dict[str, SliceReader] = {}

    def close(self) -> None:
        if not self._borrowed:
            self.database.close()

    def give_up(self) -> None:
        self._given_up = True

    def _check_wanted(self) -> None:
        if self._given_up:
            raise errors.Closed("the run of this slice was ended: nothing more of it is written")

    @property
    def identity(self) -> Identity:
        return database_identity(self.database, self._url)

    def tables(self) -> list[Table]:
        return [self.table(name) for name in self.database.tables.list()]

    def table(self, name: str) -> Table:
        return self.database.tables.describe(name)

    def facts(self, table: Table) -> TableFacts:
        found = self._reader(table).facts()
        return TableFacts(found.items, found.size)

    def unmet_needs(self, table: Table, *, created: bool) -> list[str]:
        return unmet_needs(self.database.capabilities, table, created=created)

    def refusal(self, table: Table, item: Item) -> IsthmusError | None:
        try:
            self._table(table).actions.put(item)
        except InvalidArgument as error:
            return error
        return None

    # ---- reading ----

    def units(self, table: Table, wanted: int) -> list[str]:
        return self._reader(table).units(wanted)

    def read(self, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        return self._reader(table).read(unit, cursor, items=items, size=size)

    def count(self, table: Table, unit: str, cursor: str | None, *, items: int) -> Counted:
        return self._reader(table).count(unit, cursor, items=items)

    def get_many(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        return list(self._table(table).get_many(keys).raise_for_failures()) if keys else []

    def look(self, table: Table, keys: Sequence[Item]) -> list[Seen]:
        if self.knows_revisions:
            bound = self._table(table)
            seen = [look(bound, key) for key in keys]
            check_reads([one.found for one in seen])
            return seen
        return [Seen(found) for found in readable_items(self, table, keys)]

    # ---- writing ----

    def create(self, table: Table) -> None:
        self.database.tables.create(self.kept(table))

    def kept(self, table: Table) -> Table:
        """A definition without unique constraints where only repositories can keep them."""
        return table if self.database.capabilities.supports(Capability.UNIQUE_INDEX) else evolve(table, unique=())

    def drop(self, table: Table) -> None:
        self.database.tables.drop(table.name)
        self._bound.pop(table.name, None)
        self._readers.pop(table.name, None)

    def put_many(
        self, table: Table, items: Sequence[Item], part: Part, *, normal: bool = False, new: bool = False
    ) -> Receipt:
        refusals: list[Refusal] = []
        with self._counted() as met:
            members = list(enumerate(items))
            if normal and items:
                members = self._put_normal(self._table(table), members, refusals, new=new)
            self._put(self._table(table), members, refusals)
            _check_blame(refusals, len(items))
        return Receipt(tuple(sorted(refusals, key=lambda one: one.position)), met.retried, met.throttled)

    @contextmanager
    def _counted(self) -> Iterator[Traffic]:
        """Count what the calls inside meet."""
        self._traffic = Traffic()
        with recording(self._traffic.record):
            yield self._traffic

    def delete_many(self, table: Table, keys: Sequence[Item]) -> Receipt:
        with self._counted() as met:
            self._delete(self._table(table), keys)
        return Receipt((), met.retried, met.throttled)

    def swap(self, table: Table, changes: Sequence[Change]) -> Receipt:
        with self._counted() as met:
            members = list(enumerate(changes))
            refusals = self._replace(table, [one for one in members if one[1].seen.revision is None])
            for place, change in members:
                if change.seen.revision is not None:
                    self._swap(table, place, change, refusals)
            self._check_store(table, changes, refusals)
        return Receipt(tuple(refusals), met.retried, met.throttled)

    def _check_store(self, table: Table, changes: Sequence[Change], refusals: list[Refusal]) -> None:
        """Take a store that refuses all that is put, also what it has already, for broken, its disk full say.

        :raises BackendError: it is broken
        """
        # A full disk lets what is deleted through.
        puts = {place for place, change in enumerate(changes) if change.item is not None}
        refused = [one.error for one in refusals if one.position in puts]
        failed = [error for error in refused if isinstance(error, errors.BackendError)]
        if not failed or len(refused) < len(puts):
            return
        takes = self._takes_what_it_has(table, changes)
        if takes is False or (takes is None and len(failed) > 1):
            raise failed[0]

    def _takes_what_it_has(self, table: Table, changes: Sequence[Change]) -> bool | None:
        """Whether an item can be put that is there already; ``None`` where there is none, or no revision guards it."""
        if not self.knows_revisions:
            return None
        bound = self._table(table)
        for change in changes:
            seen = look(bound, change.key)
            if seen.found is None or isinstance(seen.found, IsthmusError):
                continue
            try:
                swap(bound, Change(change.key, seen.found, seen))
            except errors.BackendError:
                return False
            except (errors.ItemChanged, errors.InvalidArgument):
                continue  # others were faster, or it has expired meanwhile
            return True
        return None

    def _replace(self, table: Table, changes: Sequence[tuple[int, Change]]) -> list[Refusal]:
        """Make changes that depend on nothing, or on what nobody can tell."""
        bound, refusals = self._table(table), list[Refusal]()
        self._delete(bound, [change.key for _place, change in changes if change.item is None])
        self._put(bound, [(place, change.item) for place, change in changes if change.item is not None], refusals)
        return refusals

    def _swap(self, table: Table, place: int, change: Change, refusals: list[Refusal]) -> None:
        bound, waits = self._table(table), Waits(self._sleep)
        while True:
            self._check_wanted()
            try:
                return swap(bound, change)
            except IsthmusError as error:
                if not (is_place_s(error) or (change.item is None and isinstance(error, errors.BackendError))):
                    refusals.append(Refusal(place, error))
                    return None
                if not isinstance(error, (errors.Throttled, errors.Conflict)):
                    raise
                self._traffic.throttled += isinstance(error, errors.Throttled)
                waits.wait(error, progress=False)

    def _delete(self, bound: BoundTable, keys: Sequence[Item]) -> None:
        left, waits = list(keys), Waits(self._sleep)
        while left:
            self._check_wanted()
            failures = bound.delete_many(left).failures
            for failure in failures:
                if not failure.error.retryable:
                    raise failure.error
            if failures:
                waits.wait(failures[0].error, progress=len(failures) < len(left))
            left = [left[failure.position] for failure in failures]

    def _put_normal(
        self, bound: BoundTable, members: list[tuple[int, Item]], refusals: list[Refusal], *, new: bool
    ) -> list[tuple[int, Item]]:
        """Store items that need no check; those that are left over for the careful way, all if anything was wrong."""
        self._check_wanted()
        items = tuple([item for _place, item in members])
        operation = PutMany(self.database.context(None), bound.schema, items, new=new)
        try:
            result = cast("WriteManyResult", self.database.execute(operation))
        except errors.Throttled:
            self._traffic.throttled += 1
            return members
        except PLACE_FAULTS:
            raise
        except IsthmusError as error:
            # The source may hold what others wrote, beyond any limit of ours: the careful way finds the items.
            if error.retryable:
                raise
            return members
        again: list[tuple[int, Item]] = []
        for failure in result.failures:
            self._judge(members[failure.position], failure.error, again, refusals)
        return again

    def _put(self, bound: BoundTable, members: list[tuple[int, Item]], refusals: list[Refusal]) -> None:
        """Store the members; what the store turns away for a moment is sent again, and bad ones are searched for."""
        waits = Waits(self._sleep)
        while members:
            self._check_wanted()
            try:
                failures = bound.put_many([item for _place, item in members]).failures
            except errors.Throttled as error:
                self._traffic.throttled += 1
                waits.wait(error, progress=False)
                continue
            except PLACE_FAULTS:
                raise
            except IsthmusError as error:
                if error.retryable:
                    raise
                self._search(bound, members, refusals, error)
                return
            again: list[tuple[int, Item]] = []
            for failure in failures:
                self._judge(members[failure.position], failure.error, again, refusals)
            if again:
                passing = next(one.error for one in failures if _is_passing(one.error))
                waits.wait(passing, progress=len(again) < len(members))
            members = again

    def _judge(
        self, member: tuple[int, Item], error: IsthmusError, again: list[tuple[int, Item]], refusals: list[Refusal]
    ) -> None:
        if _is_passing(error):
            self._traffic.throttled += isinstance(error, errors.Throttled)
            again.append(member)
        elif isinstance(error, PLACE_FAULTS):
            raise error
        else:
            refusals.append(Refusal(member[0], error))

    def _search(
        self, bound: BoundTable, members: list[tuple[int, Item]], refusals: list[Refusal], error: IsthmusError
    ) -> None:
        """Halve a batch that was refused as a whole, down to the items that are to blame."""
        if len(members) == 1:
            refusals.append(Refusal(members[0][0], error))
            return
        middle = len(members) // 2
        self._put(bound, members[:middle], refusals)
        self._put(bound, members[middle:], refusals)

    def _table(self, table: Table) -> BoundTable:
        if table.name not in self._bound:
            self._bound[table.name] = verbatim(self.database.table(self.kept(table)))
        return self._bound[table.name]

    def _reader(self, table: Table) -> SliceReader:
        if table.name not in self._readers:
            self._readers[table.name] = slice_reader(self.database, table)
        return self._readers[table.name]


def _is_passing(error: IsthmusError) -> bool:
    return error.retryable or isinstance(error, errors.Conflict)


def _check_blame(refusals: list[Refusal], items: int) -> None:
    """Take a store that fails over each item of a batch for broken, its disk full say, and no item for poison.

    :param items: how many of the batch were to be stored
    """
    failed = [one.error for one in refusals if isinstance(one.error, errors.BackendError)]
    if items > 1 and len(failed) == items:
        raise failed[0]
