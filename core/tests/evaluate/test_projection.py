"""The meaning of projections and paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from core.tests.expressions.strategies import items, paths
from isthmus.evaluate import lookup, project
from isthmus.expressions import MISSING, F, Field, Path, projection
from isthmus.values import Item

ITEM: Item = {"a": 1, "m": {"x": 1, "y": {"z": 2}, "n": None}, "l": [0, {"k": 1, "j": 2}, 2, 3], "a.b": 4}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["a"], {"a": 1}),
        (["a", "none"], {"a": 1}),
        (["none"], {}),
        ([F.m.x], {"m": {"x": 1}}),
        ([F.m.y.z, F.m.x], {"m": {"y": {"z": 2}, "x": 1}}),
        ([F.m.n], {"m": {"n": None}}),
        ([F.m.none, F.a], {"a": 1}),
        ([F.l[3], F.l[0], F.l[9]], {"l": [0, 3]}),
        ([F.l[1].k], {"l": [{"k": 1}]}),
        ([F.l.k], {}),
        ([F.m[0]], {}),
        ([F.a.b], {}),
        (["a.b"], {"a.b": 4}),
    ],
)
def test_project(fields: list[str | Field], expected: Item) -> None:
    """QRY-11: parts keep their place, missing ones are left out, list elements come in list order."""
    assert project(ITEM, projection(fields)) == expected


@given(items, paths)
def test_project_one(item: Item, path: Path) -> None:
    """QRY-11: a projection of one path holds exactly the value there."""
    kept: Any = project(item, [path])
    value = lookup(item, path)
    # Elements before the chosen one are left out, so it is the first of its list.
    moved = tuple(0 if isinstance(element, int) else element for element in path)

    assert (lookup(kept, moved) if kept else MISSING) == value


@pytest.mark.parametrize(
    ("path", "expected"),
    [(("m", "y", "z"), 2), (("l", 1, "k"), 1), (("l", 4), MISSING), (("l", "1"), MISSING), (("a", "b"), MISSING)],
)
def test_lookup(path: Path, expected: object) -> None:
    """COL-1, COL-2, COL-3: names lead into maps and indexes into lists, and nothing else does."""
    assert lookup(ITEM, path) == expected
