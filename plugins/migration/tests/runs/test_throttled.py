"""A target that takes little at a time: as long as it takes anything, nobody gives up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partialmethod
from types import SimpleNamespace
from typing import Any

import pytest

import isthmus
from isthmus.bound_table import BoundTable
from isthmus.errors import Throttled
from isthmus.results import Failure, WriteManyResult
from isthmus.values import Item
from isthmus_migration.places import waits
from isthmus_migration.places.base import Part
from isthmus_migration.places.databases import DatabasePlace
from plugins.migration.tests.dead.helpers import THINGS, numbered

_PART = Part("things-00000", 0)
_SECONDS = 10.0
"""What a request takes, by the clock of these tests."""


class _Slow:
    """A place that takes few items of each request, and turns every other request away as a whole."""

    def __init__(self, patch: pytest.MonkeyPatch, database: isthmus.Database, most: int) -> None:
        self.now, self._requests, self._most = 0.0, 0, most
        self._real = BoundTable.put_many
        patch.setattr(waits, "time", SimpleNamespace(monotonic=lambda: self.now))
        patch.setattr(BoundTable, "put_many", partialmethod(_put_many, slow=self))
        self.place = DatabasePlace(database, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def put_many(self, bound: BoundTable, items: Sequence[Item]) -> WriteManyResult:
        """Take the first few."""
        self.now += _SECONDS
        self._requests += 1
        if self._requests % 2:
            raise Throttled("it has enough to do")
        taken = self._real(bound, list(items)[: self._most]).written if self._most else 0
        return WriteManyResult(taken, failures=[Failure(n, Throttled("too much")) for n in range(taken, len(items))])


def _put_many(bound: BoundTable, items: Sequence[Item], *, slow: _Slow) -> WriteManyResult:
    return slow.put_many(bound, items)


@pytest.fixture
def database() -> Iterator[isthmus.Database]:
    """An empty table in memory."""
    with isthmus.connect("memory://") as opened:
        opened.tables.create(THINGS)
        yield opened


@pytest.mark.parametrize("normal", [True, False])
def test_a_slice_goes_on_while_the_target_takes_something(
    database: isthmus.Database, monkeypatch: pytest.MonkeyPatch, normal: bool
) -> None:
    """It takes far longer than anybody waits for a target that takes nothing."""
    slow = _Slow(monkeypatch, database, 3)
    if normal:
        monkeypatch.setattr(database, "execute", _turned_away)
    receipt = slow.place.put_many(THINGS, numbered(0, 60), _PART, normal=normal)
    monkeypatch.undo()
    assert (receipt.refusals, database.table(THINGS).scan().count()) == ((), 60)
    assert receipt.throttled >= 60
    assert slow.now > 5 * waits.PATIENCE


def _turned_away(_operation: Any) -> Any:
    raise Throttled("it has enough to do")


def test_a_slice_ends_when_the_target_takes_nothing_any_more(
    database: isthmus.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the store's own error, so that the slice is done again later."""
    slow = _Slow(monkeypatch, database, 0)
    with pytest.raises(Throttled):
        slow.place.put_many(THINGS, numbered(0, 60), _PART)
    assert waits.PATIENCE < slow.now < 2 * waits.PATIENCE
