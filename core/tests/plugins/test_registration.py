"""What a plugin may look like, and in which order plugins are called."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import isthmus
from isthmus import Plugin, hookimpl
from isthmus.errors import ConfigurationError, PluginError
from isthmus.metrics import MetricDescription
from isthmus.plugins import build_manager, hook_names
from isthmus.versions import admits

ROOT = Path(__file__).resolve().parents[3]


def named(name: str, **members: Any) -> Plugin:
    """A plugin object with these members."""
    made: type[Plugin] = type(name.title(), (Plugin,), {"name": name, **members})
    return made()


def speaker(name: str) -> Plugin:
    """A plugin that says its name through a hook."""

    @hookimpl
    def isthmus_describe_metrics(_self: Plugin) -> Sequence[MetricDescription]:
        return [MetricDescription(name, "counter", "1", "a test's")]

    return named(name, isthmus_describe_metrics=isthmus_describe_metrics)


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_order_is_that_of_names(order: Sequence[str]) -> None:
    """Hooks call plugins in the order of their names, however they were given."""
    with isthmus.connect("memory://", plugins=[speaker(name) for name in order]) as database:
        names = [metric.name for metric in database.describe_metrics() if len(metric.name) == 1]
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize("way", ["class", "object"])
def test_plugin_given_in_code(way: str) -> None:
    """A class or an object serves as well as a name."""
    plugin = speaker("a")
    with isthmus.connect("memory://", plugins=[plugin if way == "object" else type(plugin)]) as database:
        assert database.explain().plugins == ("a", "memory")
        assert (database._pipeline.manager.get_plugin("a") is plugin) == (way == "object")


def test_something_else_is_no_plugin() -> None:
    """What is neither a name nor a plugin is refused."""
    with pytest.raises(ConfigurationError, match="plugins holds names, plugin classes and plugin objects, not dict"):
        isthmus.connect("memory://", plugins=[{}])  # type: ignore[list-item]  # on purpose


def test_names_are_unique() -> None:
    """Two active plugins of one name are refused."""
    with pytest.raises(PluginError, match="two active plugins are named 'a'"):
        isthmus.connect("memory://", plugins=[speaker("a"), speaker("a")])
    with pytest.raises(PluginError, match="two active plugins are named 'a'"):
        build_manager([speaker("a"), speaker("a")])


def test_misspelt_hook_is_refused() -> None:
    """A hook that doesn't exist is refused with the nearest names."""

    @hookimpl
    def isthmus_layer(_self: Plugin, _database: Any) -> None:
        """Misspelt."""

    with pytest.raises(PluginError) as raised:
        build_manager([named("a", isthmus_layer=isthmus_layer)])
    assert raised.value.message == (
        "plugin 'a' implements isthmus_layer, which is no hook: did you mean isthmus_layers?"
    )


def test_optional_hook_may_be_unknown() -> None:
    """An implementation marked `optionalhook` waits for a core that has the hook."""

    @hookimpl(optionalhook=True)
    def isthmus_something_newer(_self: Plugin) -> None:
        """Of a later core."""

    manager = build_manager([named("a", isthmus_something_newer=isthmus_something_newer)])
    assert manager.has_plugin("a")


def test_async_hook_is_refused() -> None:
    """A coroutine function as a hook would never be awaited, so it is refused."""

    @hookimpl
    async def isthmus_database_opened(_self: Plugin) -> None:
        """Would be dropped."""

    with pytest.raises(PluginError, match="hook isthmus_database_opened of plugin 'a' must not be async"):
        build_manager([named("a", isthmus_database_opened=isthmus_database_opened)])


def test_wrapper_is_refused() -> None:
    """A hook wrapper is refused: behaviour around calls is a layer's."""

    @hookimpl(wrapper=True)
    def isthmus_database_opened(_self: Plugin) -> Any:
        return (yield)

    with pytest.raises(PluginError, match="must not be a wrapper: write a layer instead"):
        build_manager([named("a", isthmus_database_opened=isthmus_database_opened)])


def test_unmarked_hook_is_refused() -> None:
    """A method with a hook's name and no mark would never be called, so it is refused."""

    def isthmus_layers(_self: Plugin, _database: Any) -> list[Any]:
        return []

    with pytest.raises(PluginError, match="hook isthmus_layers of plugin 'a' is not marked: put @"):
        build_manager([named("a", isthmus_layers=isthmus_layers)])


def test_wrong_arguments_are_refused() -> None:
    """An implementation that asks for an argument that the hook doesn't have is refused."""

    @hookimpl
    def isthmus_database_opened(_self: Plugin, databse: Any) -> None:
        """Asks for a misspelt argument."""

    with pytest.raises(PluginError, match=r"plugin 'a' does not fit a hook: .*databse"):
        build_manager([named("a", isthmus_database_opened=isthmus_database_opened)])


def test_registration_evaluates_no_property() -> None:
    """Registering a plugin reads none of its properties."""

    def explode(_self: Plugin) -> None:
        raise AssertionError("a property was evaluated")

    plugin = named("a", isthmus_layers=property(explode), other=property(explode))
    assert build_manager([plugin]).get_plugin("a") is plugin


def test_static_and_class_methods_may_implement_hooks() -> None:
    """A hook may be implemented by a static method."""

    @hookimpl
    def isthmus_describe_metrics() -> list[MetricDescription]:
        return [MetricDescription("x", "gauge", "1", "a test's")]

    manager = build_manager([named("a", isthmus_describe_metrics=staticmethod(isthmus_describe_metrics))])
    assert [[metric.name for metric in found] for found in manager.hook.isthmus_describe_metrics()] == [["x"]]


def test_plugins_that_compare_by_value_are_refused() -> None:
    """An attrs class with `eq` could be taken for another database's plugin."""

    @attrs.define
    class Equal(Plugin):
        name: ClassVar[str] = "equal"

    @attrs.define(eq=False)
    class Same(Plugin):
        name: ClassVar[str] = "same"

    with pytest.raises(PluginError, match="plugin Equal compares by value"):
        build_manager([Equal()])
    assert build_manager([Same()]).has_plugin("same")


def test_plugin_without_a_name_is_refused() -> None:
    """A plugin class has a name."""

    class Nameless(Plugin):
        """Lacks a name."""

    with pytest.raises(PluginError, match="plugin Nameless has no name"):
        isthmus.connect("memory://", plugins=[Nameless])


def test_incompatible_class_is_refused() -> None:
    """A class given in code is checked like an installed one."""
    with pytest.raises(PluginError, match=r"plugin A needs isthmus >=9, this is 0\.1\.0"):
        isthmus.connect("memory://", plugins=[type(named("a", requires=">=9"))])


def test_manager_is_frozen_after_opening() -> None:
    """No plugin can join a database that is open."""
    with isthmus.connect("memory://") as database, pytest.raises(PluginError, match="plugin 'a' comes too late"):
        database._pipeline.manager.register(speaker("a"), "a")


@pytest.mark.parametrize(
    ("requires", "version", "admitted"),
    [
        ("", "0.1.0", True),
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1,<0.2", "0.1.9", True),
        (">=0.1,<0.2", "0.2", False),
        (">0.1", "0.1.0", False),
        ("==0.1", "0.1.0", True),
        ("!=0.1.1", "0.1.1", False),
        ("<=0.10", "0.9", True),
    ],
)
def test_version_ranges(requires: str, version: str, admitted: bool) -> None:
    """Ranges compare release numbers, not texts."""
    assert admits(requires, version) is admitted


def test_unreadable_version_range() -> None:
    """A range that can't be read is refused."""
    with pytest.raises(PluginError, match="version range 'about 1' can't be read"):
        admits("about 1", "0.1")


def test_hooks_have_tests() -> None:
    """Each hook has a caller in the core and is named in a test."""
    calls = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "core/src/isthmus").rglob("*.py"))
        if path.name != "hookspecs.py"
    )
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "core/tests").rglob("*.py"))
        if path != Path(__file__).resolve()
    )
    assert len(hook_names()) > 10
    assert [name for name in hook_names() if name not in calls] == []
    assert [name for name in hook_names() if name not in tests] == []
