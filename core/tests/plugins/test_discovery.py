"""Discovery by entry point, explicit activation, lazy loading."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import plugins
from isthmus.errors import PluginError
from isthmus.plugins import BACKENDS, PLUGINS, PluginInfo, installed, list_plugins, load

GOOD = """
import isthmus

class Made(isthmus.Plugin):
    name = "{name}"
    requires = ">=0.1,<0.2"

    @isthmus.hookimpl
    def isthmus_database_opened(self, database):
        self.opened = database
"""
BROKEN = "import a_module_that_nobody_has\n"
FOREIGN = "class Made: pass\n"
FUTURE = "import isthmus\n\nclass Made(isthmus.Plugin):\n    name = 'future'\n    requires = '>=0.9'\n"
UNREADABLE = "import isthmus\n\nclass Made(isthmus.Plugin):\n    name = 'odd'\n    requires = 'about 3'\n"


def made(name: str) -> PluginInfo:
    """What the list says of one plugin of the group for plugins."""
    (found,) = [plugin for plugin in list_plugins(active=["good"], blocked=["shut"]) if plugin.name == name]
    return found


def test_installing_activates_nothing(install: Any) -> None:
    """An installed plugin is neither imported nor active until somebody names it."""
    install("good", GOOD.format(name="good"))
    with isthmus.connect("memory://") as database:
        assert database.explain().plugins == ("memory",)
    assert "good_made_for_a_test" not in sys.modules


def test_plugin_is_activated_by_name(install: Any) -> None:
    """Naming a plugin imports and activates it."""
    install("good", GOOD.format(name="good"))
    with isthmus.connect("memory://", plugins=["good"]) as database:
        assert database.explain().plugins == ("good", "memory")


def test_plugin_is_activated_by_variable(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ISTHMUS_PLUGINS` activates plugins."""
    install("good", GOOD.format(name="good"))
    monkeypatch.setenv("ISTHMUS_PLUGINS", "good")
    with isthmus.connect("memory://") as database:
        assert database.explain().plugins == ("good", "memory")


def test_each_database_has_its_own_objects(install: Any) -> None:
    """Two databases never share a plugin object."""
    install("good", GOOD.format(name="good"))
    with isthmus.connect("memory://", plugins=["good"]) as one, isthmus.connect("memory://", plugins=["good"]) as two:
        plugins: list[Any] = [database._pipeline.manager.get_plugin("good") for database in (one, two)]
    assert plugins[0] is not plugins[1]
    assert [plugin.opened.url for plugin in plugins] == ["memory://", "memory://"]


def test_states_of_plugins(install: Any) -> None:
    """The list tells active, available, blocked, broken and incompatible plugins apart."""
    for name, source in {
        "good": GOOD.format(name="good"),
        "idle": GOOD.format(name="idle"),
        "shut": BROKEN,
        "broken": BROKEN,
        "foreign": FOREIGN,
        "future": FUTURE,
        "odd": UNREADABLE,
    }.items():
        install(name, source)
    states = {name: made(name).status for name in ("good", "idle", "shut", "broken", "foreign", "future", "odd")}
    assert states == {
        "good": "active",
        "idle": "available",
        "shut": "blocked",
        "broken": "broken",
        "foreign": "broken",
        "future": "incompatible",
        "odd": "broken",
    }


def test_list_names_distribution_and_version(install: Any) -> None:
    """A listed plugin carries its distribution, version and the reason why it can't be used."""
    install("broken", BROKEN)
    assert made("broken") == PluginInfo(
        "broken",
        "isthmus.plugins",
        "isthmus-broken",
        "1.2",
        "broken",
        "fails to import (ModuleNotFoundError of a_module_that_nobody_has): reinstall it, or block it",
    )


def test_blocked_plugin_is_not_imported(install: Any) -> None:
    """A blocked plugin is refused without being imported."""
    install("good", GOOD.format(name="good"))
    with pytest.raises(PluginError, match="plugin 'good' is blocked by the configuration"):
        isthmus.connect("memory://", plugins=["good"], blocked=["good"])
    assert "good_made_for_a_test" not in sys.modules


def test_blocked_backend_is_refused() -> None:
    """A backend can be blocked like any plugin."""
    with pytest.raises(PluginError, match="plugin 'memory' is blocked"):
        isthmus.connect("memory://", blocked=["memory"])


def test_broken_plugin_names_its_distribution(install: Any) -> None:
    """A plugin that fails to import is reported with its distribution and version; the cause is kept."""
    install("broken", BROKEN)
    with pytest.raises(PluginError, match=r"plugin 'broken' of isthmus-broken 1\.2 fails to import") as raised:
        isthmus.connect("memory://", plugins=["broken"])
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_incompatible_plugin_names_both_versions(install: Any) -> None:
    """A plugin for another core is refused with the range that it needs and the version that is there."""
    install("future", FUTURE)
    with pytest.raises(PluginError) as raised:
        load(PLUGINS, "future")
    assert raised.value.message == (
        "plugin 'future' of isthmus-future 1.2 needs isthmus >=0.9, this is 0.1.0: install a matching version"
    )


def test_the_requirement_of_the_distribution_counts_too(install: Any, tmp_path: Path) -> None:
    """A class that says nothing is judged by what its distribution asks for; other requirements are not looked at."""
    install("good", GOOD.format(name="good"))
    metadata = tmp_path / "isthmus_good-1.2.dist-info" / "METADATA"
    text = metadata.read_text(encoding="utf-8")
    metadata.write_text(f"{text}Requires-Dist: isthmus-sqlite>=7\nRequires-Dist: isthmus>=5,<6\n", encoding="utf-8")
    installed.cache_clear()
    with pytest.raises(PluginError, match=r"needs isthmus >=5,<6, this is 0\.1\.0"):
        load(PLUGINS, "good")


def test_installed_backend_serves_its_scheme(install: Any) -> None:
    """A backend is chosen by its URL's scheme."""
    source = """
    import isthmus
    from isthmus.memory import MemoryBackend

    class Made(isthmus.Plugin):
        name = "shelf"

        @isthmus.hookimpl
        def isthmus_open_backend(self, config):
            if config.options.get("how") == "badly":
                raise OSError("no such place")
            return MemoryBackend(config.clock) if config.url.netloc else None
    """
    install("shelf", source, group=BACKENDS)
    with isthmus.connect("shelf://here") as database:
        assert database.url == "shelf://here"
    with pytest.raises(isthmus.IsthmusError, match="the plugin for shelf:// opened no backend"):
        isthmus.connect("shelf://")
    with pytest.raises(isthmus.IsthmusError, match=r"shelf:// can't be opened \(OSError\)"):
        isthmus.connect("shelf://?how=badly")


@pytest.mark.parametrize(
    ("scheme", "ending"),
    [
        ("bookshelf", ": pip install isthmus-bookshelf"),
        ("bookshel", ": did you mean 'bookshelf'? pip install isthmus-bookshelf"),
        ("memry", ": did you mean 'memory'?"),
        ("foo", ": install the package that brings it, by custom called isthmus-foo"),
    ],
)
def test_unknown_scheme(monkeypatch: pytest.MonkeyPatch, scheme: str, ending: str) -> None:
    """An unknown scheme is answered with the package to install or the nearest scheme."""
    monkeypatch.setitem(plugins.FIRST_PARTY, plugins.BACKENDS, ("bookshelf",))
    with pytest.raises(PluginError) as raised:
        isthmus.connect(f"{scheme}://somewhere")
    assert raised.value.message.startswith(f"no installed backend serves {scheme!r} (installed: ")
    assert raised.value.message.endswith(ending)
