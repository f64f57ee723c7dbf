"""What a query or scan must give, in plain Python: the oracle of the paging, index and expiry suites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from isthmus import F
from isthmus.evaluate import matches
from isthmus.expressions import Condition
from isthmus.values import Item, canonical_bytes, normalise

_POOLS: Mapping[str, tuple[Any, ...]] = {
    "string": (
        "a", "A", "aa", "ab", "b", "a\0b", "a.b", "$a", "%", "~", "é", "e\u0301", "\uffee", "\U0001f600", "10", "9",
    ),
    "number": (
        -10, -1, Decimal("-0.5"), 0, Decimal("0.1"), Decimal("1E-130"), 1, Decimal("1.5"), 2, 9, 10, 100, 2**53 + 1,
        2**63, Decimal("-9.99E+125"), Decimal("9.99E+125"),
    ),
    "binary": (b"\0", b"\0\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"a", b"aa", b"b", b"b\0"),
}  # fmt: skip
KEY_POOLS: Mapping[str, tuple[Any, ...]] = {kind: tuple(map(normalise, pool)) for kind, pool in _POOLS.items()}


@frozen
class Wanted:
    """One selection: a partition (``None`` scans), a condition, a direction."""

    partition: str | None
    condition: Condition | None
    forward: bool = True


def expected(items: Iterable[Item], wanted: Wanted, *, partition_key: str = "p", sort_key: str = "s") -> list[Item]:
    """The items that a selection must give; in order if it reads one partition."""
    found = [item for item in items if wanted.partition is None or item.get(partition_key) == wanted.partition]
    found = [item for item in found if wanted.condition is None or matches(wanted.condition, item)]
    found = [item for item in found if sort_key in item]
    if wanted.partition is None:
        return found
    order: Any = lambda item: item[sort_key]  # noqa: E731  # typed once, used once
    return sorted(found, key=order, reverse=not wanted.forward)


def multiset(items: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Items without their order, typed: equal lists mean equal multisets."""
    return sorted(canonical_bytes(dict(item)) for item in items)


def sort_values(kind: str) -> st.SearchStrategy[Any]:
    """Sort keys that meet each other often, with every trap of their type."""
    return st.sampled_from(KEY_POOLS[kind])


def ranges(kind: str, name: str = "s") -> st.SearchStrategy[Condition]:
    """Conditions on a sort key, those that narrow the range and those that can only filter."""
    field, value = F[name], sort_values(kind)
    comparisons = st.builds(
        lambda operator, operand: _compare(field, operator, operand),
        st.sampled_from(("==", "!=", "<", "<=", ">", ">=")),
        value,
    )
    options = [
        comparisons,
        st.builds(field.between, value, value),
        st.builds(field.in_, st.lists(value, max_size=3)),
        st.builds(lambda low, high: (field > low) & (field <= high), value, value),
    ]
    if kind != "number":
        options.append(st.builds(lambda operand, cut: field.begins_with(operand[:cut]), value, st.integers(0, 2)))
    return st.one_of(options)


def filters() -> st.SearchStrategy[Condition]:
    """Conditions on the attribute ``n``, a small number or missing, and on the partition key."""
    small = st.integers(0, 4)
    return st.one_of(
        st.builds(lambda bound: F.n > bound, small),
        st.builds(lambda bound: F.n == bound, small),
        st.builds(lambda bound: ~(F.n < bound), small),
        st.just(F.n.exists()),
        st.just(F.p == "x"),
    )


def conditions(kind: str) -> st.SearchStrategy[Condition | None]:
    """A range, a filter, both, or nothing."""
    both = st.builds(lambda left, right: left & right, ranges(kind), filters())
    return st.one_of(st.none(), ranges(kind), filters(), both)


def selections(kind: str) -> st.SearchStrategy[Wanted]:
    """Any query or scan of a table with the partition key ``p`` and the sort key ``s``."""
    return st.builds(
        lambda partition, condition, forward: Wanted(partition, condition, forward or partition is None),
        st.sampled_from((None, "x", "x", "y")),
        conditions(kind),
        st.booleans(),
    )


def select(table: Any, wanted: Wanted, *, partition_key: str = "p", index: str | None = None) -> Any:
    """The selection of a real table that ``wanted`` describes."""
    if wanted.partition is None:
        found = table.scan()
    else:
        found = table.query(**{partition_key: wanted.partition}, **({} if index is None else {"index": index}))
    found = found if wanted.condition is None else found.where(wanted.condition)
    return found if wanted.forward else found.descending()


def walk(selection: Any, size: int, *, most: int = 10_000) -> list[Item]:
    """All items by pages of ``size``, checking what each page and cursor promise (rules QRY-1, QRY-14)."""
    items: list[Item] = []
    cursor: str | None = None
    for _page in range(most):
        page = selection.page(size=size, cursor=cursor)
        assert len(page.items) <= size, f"a page of size {size} holds {len(page.items)} items (QRY-1)"
        assert page.items or cursor is None, "a cursor led to an empty page though nothing changed (QRY-14)"
        full = len(page.items) == size
        assert full or page.cursor is None, f"a short page of {len(page.items)} items has a cursor (QRY-1)"
        items.extend(page.items)
        if page.cursor is None:
            return items
        cursor = page.cursor
    raise AssertionError("the cursors never come to an end (QRY-14)")


def _compare(field: Any, operator: str, value: Any) -> Condition:
    built: Mapping[str, Any] = {
        "==": field.__eq__, "!=": field.__ne__, "<": field.__lt__, "<=": field.__le__, ">": field.__gt__,
        ">=": field.__ge__,
    }  # fmt: skip
    condition: Condition = built[operator](value)
    return condition


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    """Items of the partition ``x`` with the sort keys 000, 001, … and their number in ``n``."""
    return [{"p": "x", "s": f"{n:03}", "n": n, **more} for n in range(count)]


def numbers(items: Any) -> list[int]:
    """The attribute ``n`` of each item."""
    return [item["n"] for item in items]


def load(table: Any, items: list[dict[str, Any]]) -> Any:
    """The table, holding these items too."""
    table.put_many(items).raise_for_failures()
    return table


def pool_items(kind: str) -> list[dict[str, Any]]:
    """Two partitions with every sort key of a pool, and a small number on most items."""
    return [
        {"p": partition, "s": key} | ({"n": place % 5} if place % 3 else {})
        for partition in ("x", "y")
        for place, key in enumerate(KEY_POOLS[kind])
    ]
