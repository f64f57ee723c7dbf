"""The meaning of updates."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.tests.expressions.strategies import fields, items, updates, values
from isthmus.errors import InvalidArgument, InvalidPath, InvalidValue, ItemTooLarge, OutOfRange
from isthmus.evaluate import apply_changes, lookup
from isthmus.expressions import Action, Changes, F, Field, Remove, Set, changes, path_of, to_portable
from isthmus.values import Item, ValueLimits, equal, item_size


@pytest.mark.parametrize(
    ("item", "change", "expected"),
    [
        ({}, changes(set={"a": 1}), {"a": 1}),
        ({"m": {}}, changes(set={F.m.x: 1}), {"m": {"x": 1}}),
        ({"l": [1, 2]}, changes(set={F.l[0]: 9}), {"l": [9, 2]}),
        ({"l": [{"x": 1}]}, changes(set={F.l[0].x: 2}), {"l": [{"x": 2}]}),
        ({"a": 1}, changes(), {"a": 1}),
        # UPD-2: right-hand sides read the item as it was
        ({"a": 1, "b": 2}, changes(copy={"a": "b", "b": "a"}), {"a": 2, "b": 1}),
        ({"a": 1}, changes(copy={"b": "a"}, remove="a"), {"b": 1}),
        ({"a": 1}, changes(copy={"b": "a"}, add={"a": 5}), {"a": 6, "b": 1}),
        ({"a": {"x": 1}}, changes(copy={"a": F.a.x}), {"a": 1}),
        ({}, changes(copy={"b": (F.a.x, 7)}), {"b": 7}),
        ({"a": None}, changes(copy={"b": ("a", 7)}), {"a": None, "b": None}),
        # UPD-4: removing what is not there
        ({"a": 1}, changes(remove=["b", F.m.x, F.a[0]]), {"a": 1}),
        ({"m": {"x": 1}}, changes(remove=F.m.x), {"m": {}}),
        ({"l": [{"x": 1}]}, changes(remove=F.l[0].x), {"l": [{}]}),
        # UPD-5, UPD-6: lists
        ({"l": [1]}, changes(set={F.l[9]: "nine", F.l[4]: "four"}), {"l": [1, "four", "nine"]}),
        ({"l": [0, 1, 2, 3]}, changes(remove=[F.l[0], F.l[2], F.l[7]]), {"l": [1, 3]}),
        ({"l": [0, 1, 2]}, changes(remove=F.l[0], set={F.l[1]: "x", F.l[5]: "y"}), {"l": ["x", 2, "y"]}),
        ({"l": [0]}, changes(remove=F.l[0]), {"l": []}),
        ({"l": [1]}, changes(add={F.l[3]: 2}), {"l": [1, 2]}),
        # UPD-7: numbers
        ({}, changes(add={"a": -3}), {"a": -3}),
        ({"a": 1}, changes(add={"a": Decimal("0.5")}), {"a": Decimal("1.5")}),
        ({"a": Decimal("1.5")}, changes(add={"a": 0.5}), {"a": 2}),
        ({"m": {}}, changes(add={F.m.x: 1}), {"m": {"x": 1}}),
        # UPD-8: null exists
        ({"a": None}, changes(set_if_absent={"a": 1, "b": 2}), {"a": None, "b": 2}),
        ({"l": [1]}, changes(set_if_absent={F.l[0]: 7, F.l[3]: 8}), {"l": [1, 8]}),
        # UPD-9: lists to extend
        ({"l": [1]}, changes(append={"l": [2, [3]]}), {"l": [1, 2, [3]]}),
        ({"l": [1]}, changes(prepend={"l": [2, 3]}), {"l": [2, 3, 1]}),
        ({}, changes(append={"l": [1]}, prepend={"k": [2]}, create_lists=True), {"l": [1], "k": [2]}),
        # UPD-10, COL-7: sets
        ({}, changes(add={"s": {"a"}}), {"s": frozenset({"a"})}),
        ({"s": frozenset({1})}, changes(add={"s": {1.0, 2}}), {"s": frozenset({1, 2})}),
        ({"s": frozenset({"a", "b"})}, changes(delete={"s": {"a", "c"}}), {"s": frozenset({"b"})}),
        ({"s": frozenset({"a"}), "n": 1}, changes(delete={"s": {"a"}}), {"n": 1}),
        ({"m": {"s": frozenset({"a"})}}, changes(delete={F.m.s: {"a"}}), {"m": {}}),
        ({"l": [frozenset({1}), 2]}, changes(delete={F.l[0]: {1}}), {"l": [2]}),
        ({"n": 1}, changes(delete={"s": {"a"}, F.m.s: {"a"}}), {"n": 1}),
    ],
)
def test_result(item: Item, change: Changes, expected: Item) -> None:
    """UPD-2 to UPD-10, COL-7: the item after the update."""
    assert equal(apply_changes(change, item), expected)


@pytest.mark.parametrize(
    ("item", "change"),
    [
        # UPD-3: parents must be there, and be of the right type
        ({}, changes(set={F.m.x: 1})),
        ({"m": 1}, changes(set={F.m.x: 1})),
        ({"m": None}, changes(set={F.m.x: 1})),
        ({"m": []}, changes(set={F.m.x: 1})),
        ({"l": {}}, changes(set={F.l[0]: 1})),
        ({"l": []}, changes(set={F.l[0].x: 1})),
        ({}, changes(add={F.m.x: 1})),
        ({}, changes(set_if_absent={F.m.x: 1})),
        ({}, changes(copy={F.m.x: ("y", 1)})),
        ({}, changes(append={F.m.x: [1]}, create_lists=True)),
        # missing sources and lists
        ({}, changes(copy={"a": "b"})),
        ({}, changes(append={"a": [1]})),
        ({}, changes(prepend={"a": [1]})),
    ],
)
def test_invalid_path(item: Item, change: Changes) -> None:
    """UPD-2, UPD-3, UPD-9: a missing or unfit parent, source or list is an error."""
    with pytest.raises(InvalidPath):
        apply_changes(change, item)


@pytest.mark.parametrize(
    ("item", "change"),
    [
        ({"a": "x"}, changes(add={"a": 1})),
        ({"a": None}, changes(add={"a": 1})),
        ({"a": True}, changes(add={"a": 1})),
        ({"a": frozenset({"x"})}, changes(add={"a": 1})),
        ({"a": 1}, changes(add={"a": {1}})),
        ({"a": frozenset({"x"})}, changes(add={"a": {1}})),
        ({"a": ["x"]}, changes(delete={"a": {"x"}})),
        ({"a": frozenset({"x"})}, changes(delete={"a": {1}})),
        ({"a": None}, changes(append={"a": [1]}, create_lists=True)),
        ({"a": "x"}, changes(prepend={"a": [1]})),
    ],
)
def test_wrong_type(item: Item, change: Changes) -> None:
    """UPD-7, UPD-9, UPD-10: an action on a value of another type is an error, null included."""
    with pytest.raises(InvalidValue):
        apply_changes(change, item)


@pytest.mark.parametrize("start", [int("9" * 34), Decimal("0." + "1" * 34)])
def test_overflow(start: Any) -> None:
    """NUM-10: a sum that does not fit is an error, never rounded."""
    with pytest.raises(OutOfRange):
        apply_changes(changes(add={"a": Decimal("1.5")}), {"a": start}, ValueLimits(number_digits=34))


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_deepest_result() -> None:
    """SIZ-2: a result of 31 levels is allowed."""
    result = apply_changes(changes(set={F.a[0]: _nested(30)}), {"a": []})

    assert equal(result, {"a": _nested(31)})


@pytest.mark.parametrize("change", [changes(set={F.a[0]: _nested(31)}), changes(copy={F.a[0]: "b"})])
def test_too_deep(change: Changes) -> None:
    """SIZ-2: depth is checked on the result."""
    with pytest.raises(InvalidValue, match="deeper"):
        apply_changes(change, {"a": [], "b": _nested(31)})


def test_size_at_limit() -> None:
    """SIZ-6: a result of exactly the limit is allowed."""
    assert item_size(apply_changes(changes(set={"b": "x" * 8}), {"a": ""}, ValueLimits(item_bytes=10))) == 10


def test_size_over_limit() -> None:
    """SIZ-6: one byte more is refused, whatever the size of the change."""
    with pytest.raises(ItemTooLarge, match="11 bytes"):
        apply_changes(changes(copy={"b": "a"}, add={"n": 1}), {"a": "xxx"}, ValueLimits(item_bytes=10))


def test_messages_hide_values() -> None:
    """An error names the path and types, and not the values."""
    with pytest.raises(InvalidValue) as caught:
        apply_changes(changes(add={F.m.x: 12345}), {"m": {"x": "secret"}})

    assert str(caught.value) == "A number can't be added to m.x, which is a string."


def test_no_alias() -> None:
    """LYR-3: the result shares no list or map with the item or the update."""
    item: Item = {"kept": [[1]], "source": [1]}
    update = changes(set={"new": [1]}, copy={"copied": "source"})
    result: Any = apply_changes(update, item)
    for name in ("kept", "source", "new", "copied"):
        result[name].append("mine")
    result["kept"][0].append("mine")

    assert (item, to_portable(update)) == (
        {"kept": [[1]], "source": [1]},
        to_portable(changes(set={"new": [1]}, copy={"copied": "source"})),
    )


def _attempt(change: Changes, item: Item) -> Item | str:
    try:
        return apply_changes(change, item)
    except InvalidArgument as error:
        return error.code


@given(updates(), items)
def test_item_is_kept(change: Changes, item: Item) -> None:
    """Neither success nor failure changes the item that was given."""
    before = copy.deepcopy(item)
    _attempt(change, item)

    assert equal(item, before)


@given(updates(), items, st.randoms(use_true_random=False))
def test_order_of_actions(change: Changes, item: Item, random: Any) -> None:
    """UPD-2: the order in which actions are written has no meaning."""
    shuffled = list(change.actions)
    random.shuffle(shuffled)
    results = [_attempt(change, item), _attempt(Changes(shuffled), item)]
    # Which of several errors is reported first is not promised.
    assume(not all(isinstance(result, str) for result in results))

    assert equal(*results)


@given(updates(), items)
def test_others_are_kept(change: Changes, item: Item) -> None:
    """Attributes that the update does not name stay as they are."""
    result = _attempt(change, item)
    assume(isinstance(result, dict))
    named = {action.path[0] for action in change.actions}
    others = [{name: value for name, value in each.items() if name not in named} for each in (item, result)]  # type: ignore[union-attr]  # a dict, see above

    assert equal(*others)


@given(fields, values, items)
def test_set_then_read(field: Field, value: Any, item: Item) -> None:
    """What was set is found there, or at the end of its list."""
    path = path_of(field)
    result = _attempt(Changes([Set(path, value)]), item)
    assume(isinstance(result, dict))
    parent: Any = lookup(result, path[:-1]) if len(path) > 1 else result  # type: ignore[arg-type]  # a dict, see above
    last = path[-1] if isinstance(path[-1], str) else min(path[-1], len(parent) - 1)

    assert equal(parent[last], value)


@given(values, st.lists(values, max_size=3), st.integers(0, 5))
def test_append_then_remove(value: Any, old: list[Any], beyond: int) -> None:
    """UPD-5, UPD-6: an element set past the end and removed again leaves the list as it was."""
    longer = apply_changes(changes(set={F.l[len(old) + beyond]: value}), {"l": old})
    action: Action = Remove(("l", len(old)))

    assert equal(apply_changes(Changes([action]), longer), {"l": old})


@given(fields, items)
def test_remove_twice(field: Field, item: Item) -> None:
    """UPD-4: removing a name never fails, and a second time changes nothing."""
    assume(not any(isinstance(element, int) for element in path_of(field)))
    once = apply_changes(changes(remove=field), item)

    assert equal(apply_changes(changes(remove=field), once), once)


def test_a_result_that_is_too_deep_is_named_by_its_whole_path() -> None:
    """The message leads from the attribute down to what is nested too deeply."""
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    with pytest.raises(InvalidValue, match=r"Attribute x\.y\[0\]"):
        apply_changes(changes(set={F.x.y: deep}), {"id": "a", "x": {}})
