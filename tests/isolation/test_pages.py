"""Pages of memory and SQLite are of one moment: no transaction is half on them, as the documentation says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import isthmus
from isthmus import BoundTable, F
from isthmus.values import Item

ONE_MOMENT = {"memory": "memory://", "SQLite": "sqlite:///{folder}/data.db?synchronous=off"}
"""The backends, as the documentation calls them, with a URL."""
LOOKS = 60
ITEMS = 40


@pytest.fixture(params=ONE_MOMENT)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BoundTable]:
    """Items with one stamp."""
    with isthmus.connect(ONE_MOMENT[request.param].format(folder=tmp_path)) as database:
        made = database.table("stamped", partition_key="p", sort_key=("n", int)).ensure()
        _stamp(made, 0)
        yield made


def _stamp(table: BoundTable, stamp: int) -> None:
    table.database.transact_write([table.actions.put({"p": "a", "n": n, "stamp": stamp}) for n in range(ITEMS)])


@contextmanager
def _stamped_anew(table: BoundTable) -> Iterator[None]:
    """Another thread gives all items a new stamp, again and again."""
    done = threading.Event()

    def work() -> None:
        stamp = 0
        while not done.is_set():
            stamp += 1
            _stamp(table, stamp)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def _stamps(items: list[Item]) -> int:
    assert len(items) == ITEMS
    return len({item["stamp"] for item in items})


@pytest.mark.parametrize(
    "read",
    [
        lambda table: table.query(p="a").page(size=ITEMS),
        lambda table: table.scan().page(size=ITEMS),
        lambda table: table.query(p="a").where(F.stamp >= 0).page(size=ITEMS),
    ],
    ids=["query", "scan", "filtered query"],
)
def test_a_page_shows_no_transaction_by_half(table: BoundTable, read: Callable[[BoundTable], isthmus.Page]) -> None:
    """All items on a page carry the stamp of the same transaction."""
    with _stamped_anew(table):
        assert {_stamps(list(read(table).items)) for _ in range(LOOKS)} == {1}


def test_several_pages_may(table: BoundTable) -> None:
    """The same look over pages of one item meets two transactions at least once, so it could fail."""
    with _stamped_anew(table):
        looks = (list(table.query(p="a").pages(size=1)) for _ in range(LOOKS))
        assert any(_stamps([item for page in pages for item in page.items]) > 1 for pages in looks)
