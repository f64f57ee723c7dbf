"""Generated histories: writes, reads, batches, transactions and the passing of time on one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from isthmus import Capabilities, Capability, Index, Table
from isthmus.expressions import Changes
from isthmus_conformance.base import START
from isthmus_conformance.selection_model import filters, ranges
from isthmus_conformance.shapes import SHAPED, fitting
from isthmus_conformance.steps import Advance, Call, Snapshot, Step, Transaction, Walk
from isthmus_conformance.strategies import attribute_values
from isthmus_conformance.trees import changes, changes_of, conditions
from isthmus_conformance.updating import arguments

NAMES = ("a", "b", "size", "a.b")
KEYS = [{"p": partition, "s": text} for partition in "xy" for text in ("a", "aa", "b", "\uffee", "\U0001f600")]
"""The key of every item that a history may write."""

_PARTITIONS, _KEYS = st.sampled_from("xy"), st.sampled_from(KEYS)
_WHEN = st.none() | st.none() | conditions(NAMES)
_OTHERS: Mapping[str, SearchStrategy[Any]] = {
    **{name: attribute_values() for name in NAMES},
    "n": st.integers(0, 3),
    "g": st.sampled_from("gh"),
    "expires": st.sampled_from((START + 5, START + 50, "never", START + 10**6)),
}
_REST: SearchStrategy[Mapping[str, Any]] = st.one_of(
    st.fixed_dictionaries({}, optional={**SHAPED, **_OTHERS}), st.fixed_dictionaries({**SHAPED}, optional={**_OTHERS})
)
_CHANGES = changes_of(fitting(), 4) | changes_of(fitting(), 4) | changes(NAMES, 3)


# Composites, because Hypothesis prints strategies, and these would be printed many times over.
@st.composite
def _item(draw: st.DrawFn) -> dict[str, Any]:
    return {**draw(_REST), **draw(_KEYS)}


@st.composite
def _change(draw: st.DrawFn) -> Changes:
    return draw(_CHANGES)


_ITEMS = _item()


def declaration(name: str, supported: Capabilities) -> Table:
    """The table of all histories, with what the backends can do."""
    indexes = [Index("by_n", "p", ("n", int)), Index("by_g", "g", projection="keys")]
    wanted = (Capability.SECONDARY_INDEX, Capability.NUMBER_KEY)
    indexed = all(map(supported.supports, wanted))
    expires = "expires" if supported.supports(Capability.TTL) else None
    return Table(name, "p", "s", indexes if indexed else (), ttl=expires)


def histories(table: Table, supported: Capabilities, most: int) -> SearchStrategy[list[Step]]:
    """Histories of up to ``most`` steps, every other one long. Most begin with items, so that later steps meet some."""
    options = [
        _writes(),
        _updates(),
        _updates(),
        _updates(),
        _reads(),
        _walks(table),
        _batches(),
        st.builds(Advance, st.sampled_from((1, 10, 700))),
    ]
    if supported.supports(Capability.TRANSACT_WRITE) and supported.supports(Capability.IDEMPOTENCY_TOKEN):
        options.append(_transactions())
    if supported.supports(Capability.TRANSACT_GET):
        options.append(st.builds(Snapshot, st.lists(_KEYS, min_size=1, max_size=4)))
    step = st.one_of(options)
    rest = st.lists(step, min_size=1, max_size=most - 1) | st.lists(step, min_size=most // 2, max_size=most - 1)
    return st.builds(lambda items, steps: [*items, *steps], st.just([]) | _some_items() | _some_items(), rest)


def closing(table: Table) -> list[Step]:
    """Reads of everything, which end each history."""
    whole = [Walk(Call("scan", ()), None, (), forward=True, size=100, ordered=False)]
    for partition in ("x", "y"):
        query = Call("query", (), {"p": partition})
        whole += [Walk(query, None, (), forward=forward, size=2, ordered=True) for forward in (True, False)]
        by_n = [Call("query", (), {"p": partition, "index": "by_n"})] if table.indexes else []
        whole += [Walk(call, None, (), forward=True, size=2, ordered=False) for call in by_n]
    return list(whole)


def _place(item: Mapping[str, Any]) -> tuple[Any, Any]:
    return item["p"], item["s"]


def _writes() -> SearchStrategy[Call]:
    returning = st.sampled_from((None, "old"))
    put = st.builds(
        lambda item, when, image: Call("put", (item,), {"when": when, "returning": image}), _ITEMS, _WHEN, returning
    )
    delete = st.builds(
        lambda key, when, method: Call(method, (key,), {"when": when}), _KEYS, _WHEN, st.sampled_from(("delete", "pop"))
    )
    return put | put | delete | st.builds(lambda item: Call("create", (item,)), _ITEMS)


def _update(key: Any, tree: Any, when: Any, upsert: bool, more: Mapping[str, Any]) -> Call:
    return Call("update", (key,), {**arguments(tree), "when": when, "upsert": upsert, **more})


def _updates() -> SearchStrategy[Call]:
    returning = st.sampled_from((None, "old", "new")).map(lambda image: {"returning": image})
    return st.builds(_update, _KEYS, _change(), _WHEN, st.booleans(), returning)


def _reads() -> SearchStrategy[Call]:
    select = st.sampled_from((None, ["a"], ["s", "a.b"]))
    return st.builds(lambda key, paths: Call("find", (key,), {"select": paths}), _KEYS, select)


def _walks(table: Table) -> SearchStrategy[Walk]:
    size, forward = st.integers(1, 5), st.booleans()
    ranged = st.none() | st.none() | ranges("string") | filters() | conditions(NAMES)
    select = st.sampled_from(((), ("a", "s")))
    query = st.builds(lambda p: Call("query", (), {"p": p}), _PARTITIONS)
    options = [
        st.builds(Walk, query, ranged, select, forward, size, st.just(True)),
        st.builds(Walk, st.just(Call("scan", ())), ranged, select, st.just(True), size, st.just(False)),
    ]
    if table.indexes:
        by_n = st.builds(lambda p: Call("query", (), {"p": p, "index": "by_n"}), _PARTITIONS)
        by_g = st.builds(lambda g: Call("query", (), {"g": g, "index": "by_g"}), st.sampled_from("gh"))
        nothing = st.just(())
        options.append(st.builds(Walk, by_n, ranged, select, forward, size, st.just(False)))
        options.append(st.builds(Walk, by_g, st.none(), nothing, st.just(True), size, st.just(False)))
    return st.one_of(options)


def _some_items() -> SearchStrategy[list[Step]]:
    items = st.lists(_ITEMS, min_size=5, max_size=10, unique_by=_place)
    return items.map(lambda found: [Call("put_many", (found,))])


def _batches() -> SearchStrategy[Call]:
    keys = st.lists(_KEYS, max_size=6, unique_by=_place) | st.lists(_KEYS, max_size=3)
    few = st.lists(_KEYS, max_size=2)
    items = st.lists(_ITEMS, max_size=8, unique_by=_place) | st.lists(_ITEMS, max_size=3)
    return st.one_of(
        st.builds(lambda members: Call("put_many", (members,)), items),
        st.builds(lambda members: Call("delete_many", (members,)), few),
        st.builds(lambda members: Call("get_many", (members,)), keys),
    )


def _transactions() -> SearchStrategy[Transaction]:
    action = st.one_of(
        st.builds(lambda item, when: Call("put", (item,), {"when": when}), _ITEMS, _WHEN),
        st.builds(lambda item: Call("create", (item,)), _ITEMS),
        st.builds(lambda key, when: Call("delete", (key,), {"when": when}), _KEYS, _WHEN),
        st.builds(lambda key, when: Call("check", (key,), {"when": when}), _KEYS, conditions(NAMES)),
        st.builds(_update, _KEYS, _change(), _WHEN, st.booleans(), st.just({})),
    )
    actions = st.lists(action, min_size=1, max_size=3, unique_by=_target) | st.lists(action, min_size=1, max_size=2)
    return st.builds(Transaction, actions, st.sampled_from((None, None, "t1", "t2")))


def _target(call: Call) -> tuple[Any, Any]:
    return _place(call.arguments[0])
