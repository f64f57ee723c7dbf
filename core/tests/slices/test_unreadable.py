"""Pages and slices with items that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isthmus import Table
from isthmus.errors import InvalidStoredValue
from isthmus.operations import Context, Scan
from isthmus.pages import Candidate, take_page
from isthmus.results import Page, Unreadable

TABLE = Table("things", "id")


def _bad(name: str, *, keyed: bool = True) -> Unreadable:
    return Unreadable(InvalidStoredValue("bad"), {"id": name} if keyed else None, name, b"x" * 10, "test")


STORED: list[Candidate | Unreadable] = [
    _bad("a"), ({"id": "b"}, 10), _bad("c"), _bad("d"), _bad("-", keyed=False), ({"id": "e"}, 10), _bad("f"),
]  # fmt: skip


def _name(candidate: Candidate | Unreadable) -> str:
    return str(candidate.name if isinstance(candidate, Unreadable) else candidate[0]["id"])


def _pages(stored: list[Candidate | Unreadable], **guards: Any) -> Iterator[Page]:
    """Pages, each from the candidates after the position of the one before."""
    left = stored
    while True:
        page = take_page(left, Scan(Context(), TABLE, report_unreadable=True, **guards))
        yield page
        if page.position is None:
            return
        left = stored[[_name(one) for one in stored].index(str(page.position["id"])) + 1 :]


@pytest.mark.parametrize("guards", [{"limit": 1}, {"limit": 2}, {"limit": 3}, {"max_examined": 2}, {"max_bytes": 15}])
def test_a_page_may_end_after_what_cannot_be_read(guards: dict[str, int]) -> None:
    """It counts as an item does, so that pages stay small; each is reported once."""
    pages = list(_pages(STORED, **guards))
    assert [item["id"] for page in pages for item in page.items] == ["b", "e"]
    assert [one.name for page in pages for one in page.unreadable] == ["a", "c", "d", "-", "f"]
    sizes = [page.count + len([one for one in page.unreadable if one.key]) for page in pages]
    assert (max(sizes) <= next(iter(guards.values())), len(pages) > 1, sum(sizes)) == (True, True, 6)
    assert [page.count for page in pages] == [len(page.items) for page in pages]


def test_a_table_of_which_nothing_can_be_read_has_pages() -> None:
    """A page that went on to the end would hold all of it in memory."""
    pages = list(_pages([_bad(f"{number:03}") for number in range(100)], limit=10))
    assert [len(page.unreadable) for page in pages] == [10] * 10


def test_the_original_is_not_shown() -> None:
    """It holds the item's values, and errors are logged."""
    assert "xxx" not in repr(_bad("a"))
