"""Which layers stand where, and which orders are refused."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

import isthmus
from core.tests.layers.support import layer, passing, plugin_of
from isthmus import Stage
from isthmus.errors import (
    PluginError,
)
from isthmus.layers import arrange
from isthmus.results import GetResult


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_order_is_that_of_stages_and_names(order: tuple[int, ...]) -> None:
    """Layers stand in the order of their stages, ties by name, however they were given."""
    four = [
        passing("b", Stage.AUDIT),
        passing("a", Stage.SEAL),
        passing("c", Stage.SEAL),
        passing("z", Stage.OBSERVE),
    ]
    assert [one.name for one in arrange([four[place] for place in order])] == ["z", "b", "a", "c"]


@pytest.mark.parametrize("outside", [Stage.AUTHORIZE, Stage.SEAL, Stage.REWRITE])
def test_guard_pairs(outside: Stage) -> None:
    """No layer may move inside of a cache, nor a cache outside, where callers could meet each other's data."""
    with pytest.raises(PluginError, match=f"layer 'moved' \\({outside.name}\\) must stay outside of layer 'cache'"):
        arrange([passing("cache", Stage.CACHE), passing("moved", outside, order=Stage.CACHE + 1)])
    with pytest.raises(PluginError, match="must stay outside of layer 'cache'"):
        arrange([passing("cache", Stage.CACHE, order=1), passing("kept", outside)])


def test_order_that_crosses_no_guard() -> None:
    """A layer may move where no guard pair is crossed."""
    assert [one.name for one in arrange([passing("a", Stage.AUDIT), passing("b", Stage.SEAL, order=1)])] == ["b", "a"]


def test_exclusive_stage() -> None:
    """Two layers in a stage that one of them wants alone are refused."""
    with pytest.raises(PluginError, match="stage SEAL holds one layer only, found a, b"):
        arrange([passing("a", Stage.SEAL, exclusive=True), passing("b", Stage.SEAL)])


def test_flow_must_be_a_generator_function() -> None:
    """A flow without a yield is refused when the database opens."""
    wrong = layer(lambda _self, _operation: GetResult())  # type: ignore[arg-type, return-value]  # on purpose
    with pytest.raises(PluginError, match="the flow of layer 'x' must be a generator function"):
        isthmus.connect("memory://", plugins=[plugin_of([wrong])])


@pytest.mark.parametrize("layers", [7, [7]])
def test_hook_that_returns_no_layers(layers: Any) -> None:
    """A plugin that contributes something else than layers is refused."""
    with pytest.raises(PluginError, match="isthmus_layers must return"):
        isthmus.connect("memory://", plugins=[plugin_of(layers)])


def test_explanation_lists_layers() -> None:
    """`explain` shows each layer with its stage and the kinds that it handles."""
    with isthmus.connect("memory://", plugins=[plugin_of([passing("x", Stage.AUDIT)])]) as database:
        explanation = database.explain()
    assert ("x", "AUDIT", ("get",)) in explanation.layers
    assert "AUDIT" in str(explanation)
