"""What holds for all items and declarations."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isthmus.values import Item, copy_item, equal, normalise_item
from isthmus_migration.transforms import Transform, TransformError, compile_transform
from plugins.migration.tests.transforms.helpers import THINGS

NAMES = ("a", "b", "c", "d.e", "1 x")
INNER = ("p", "q", "r")
QUOTED = {name: name if name.isidentifier() else f'"{name}"' for name in NAMES}


# Small values and few letters: what matters here is where values are.
_short = st.text("ab-\u00e9\u0707 1", max_size=5)
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from([Decimal("1.5"), Decimal("-1E-9")]), _short,
    st.binary(max_size=3), st.frozensets(_short, min_size=1, max_size=3), st.frozensets(st.integers(0, 9), min_size=1),
)  # fmt: skip


def values() -> st.SearchStrategy[Any]:
    """Portable values of all types."""
    inner = st.one_of(st.lists(_scalars, max_size=3), st.dictionaries(st.sampled_from(INNER), _scalars, max_size=3))
    return st.one_of(_scalars, inner, st.lists(inner, max_size=2))


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Items with a few attributes of any kind, some of them maps and lists of maps."""
    inner = st.dictionaries(st.sampled_from(INNER), values(), max_size=3)
    value = st.one_of(values(), inner, st.lists(inner, max_size=2))
    return {"id": "1", **draw(st.dictionaries(st.sampled_from(NAMES), value))}


_texts = st.lists(_short, min_size=1, max_size=4)
_paths = st.sampled_from([*QUOTED.values(), "a.p", "b[].q", "c.r", "new", "a.new"])
_split = st.sampled_from(["a", "c.r"])
_declared = st.fixed_dictionaries(
    {},
    optional={
        "filter": st.sampled_from(["a.exists()", "b.size() > 1", "not c.is_type('map')"]),
        "rename": st.dictionaries(st.sampled_from([*QUOTED.values(), "a.p"]), st.sampled_from(["new", "b.new", "a"])),
        "split": st.dictionaries(_split, st.sampled_from([["x"], {"into": ["x"], "separator": "-"}])),
        "merge": st.dictionaries(
            st.just("m"), st.sampled_from([["a", "b.q"], {"of": {"n": "c"}, "missing": "leave_out", "keep": True}])
        ),
        "compute": st.dictionaries(
            st.sampled_from(["k", "b.k"]),
            st.sampled_from(["{a}!", {"copy": "b[0]", "missing": "leave_out"}, {"value": [1]}]),
        ),
        "types": st.dictionaries(
            _paths, st.sampled_from(["text", "number", {"type": "set", "duplicates": "drop"}, "list"])
        ),
        "drop": st.lists(st.sampled_from(["a", "c.r", "b[].q"])),
    },
)  # fmt: skip


def _transform(declared: dict[str, Any]) -> Transform | None:
    try:
        return Transform(**declared)
    except Exception:
        return None


_transforms = _declared.map(_transform).filter(lambda transform: transform is not None)


def _outcome(transform: Transform, item: Item) -> Any:
    try:
        return compile_transform(transform, THINGS)(item)
    except TransformError as error:
        return error.code, error.path, error.reason


@given(items(), _transforms)
def test_items_stay_as_they_are(item: Item, transform: Transform) -> None:
    """Whatever becomes of them; and what comes out is normal."""
    before = copy_item(item)
    outcome = _outcome(transform, item)
    assert equal(item, before)
    if isinstance(outcome, dict):
        assert equal(normalise_item(outcome), outcome)


@given(items(), _transforms)
def test_a_transform_from_a_plan_is_the_same(item: Item, transform: Transform) -> None:
    """Written as JSON with sorted names, and read again."""
    again = Transform.from_dict(json.loads(json.dumps(transform.to_dict(), sort_keys=True)))
    assert _outcome(again, item) == _outcome(transform, item)


@given(items(), st.permutations(NAMES))
def test_a_rename_and_its_inverse_are_the_identity(item: Item, names: list[str]) -> None:
    """Also where names are exchanged in circles."""
    renames = {QUOTED[old]: QUOTED[new] for old, new in zip(NAMES, names, strict=True) if old != new}
    there = compile_transform(Transform(rename=renames), THINGS)
    back = compile_transform(Transform(rename={new: old for old, new in renames.items()}), THINGS)
    moved = there(item)
    assert moved is not None
    assert {names[NAMES.index(name)] for name in item if name != "id"} == {name for name in moved if name != "id"}
    assert equal(back(moved), item)


@given(st.lists(st.dictionaries(st.sampled_from(INNER), values(), max_size=3), max_size=3), st.permutations(INNER))
def test_a_rename_within_elements_and_its_inverse_are_the_identity(elements: list[Item], names: list[str]) -> None:
    """Elements of lists, each a map of its own."""
    item: Item = {"id": "1", "l": elements, "m": {"n": elements[0] if elements else {}}}
    pairs = [(old, new) for old, new in zip(INNER, names, strict=True) if old != new]
    there = {f"{place}.{old}": f"{place}.{new}" for place in ("l[]", "m.n") for old, new in pairs}
    back = {new: old for old, new in there.items()}
    moved = compile_transform(Transform(rename=there), THINGS)(item)
    assert moved is not None
    assert equal(compile_transform(Transform(rename=back), THINGS)(moved), item)


@given(_texts)
def test_a_merge_and_a_split_are_inverse(parts: list[str]) -> None:
    """Where the separator is in none of the parts."""
    names = [f"p{place}" for place in range(len(parts))]
    item: Item = {"id": "1", **dict(zip(names, parts, strict=True))}
    merged = compile_transform(Transform(merge={"all": {"of": names, "separator": "|"}}), THINGS)(item)
    assert merged == {"id": "1", "all": "|".join(parts)}
    split = Transform(split={"all": {"into": names, "separator": "|"}})
    assert compile_transform(split, THINGS)(merged) == item


@given(st.lists(values().filter(lambda value: value is not None), min_size=1, max_size=4))
def test_a_merge_to_a_list_and_its_split_are_inverse(parts: list[Any]) -> None:
    """With elements of any type but null."""
    names = [f"p{place}" for place in range(len(parts))]
    item: Item = {"id": "1", **dict(zip(names, parts, strict=True))}
    merged = compile_transform(Transform(merge={"all": names}), THINGS)(item)
    assert merged is not None
    assert equal(compile_transform(Transform(split={"all": names}), THINGS)(merged), item)
