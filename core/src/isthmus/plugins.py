"""Plugins: discovery by entry point, explicit activation, lazy loading, and one manager for each database.

Installing a package never changes what happens to data: a backend is chosen by its URL's scheme, every other plugin by
name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Literal

import pluggy
from attrs import frozen

from isthmus.errors import PluginError
from isthmus.hookspecs import PROJECT, HookSpecs
from isthmus.versions import CORE_VERSION, admits

BACKENDS = "isthmus.backends"
PLUGINS = "isthmus.plugins"
Group = Literal["isthmus.backends", "isthmus.plugins"]
Status = Literal["available", "active", "blocked", "broken", "incompatible"]


class Plugin(HookSpecs):
    """Base of all plugin classes.

    :cvar name: unique; also the name of its configuration section
    :cvar requires: the versions of the core that it works with, ``">=0.1,<0.2"`` say
    :cvar settings: an attrs class that describes the configuration section, or ``None`` for none
    """

    name: ClassVar[str]
    requires: ClassVar[str] = ""
    settings: ClassVar[type | None] = None

    def __init__(self, settings: Any = None) -> None:
        self.configured = settings


@frozen
class PluginInfo:
    """One installed plugin and its state."""

    name: str
    group: Group
    distribution: str
    version: str
    status: Status
    reason: str = ""


class Manager(pluggy.PluginManager):
    """pluggy's manager, without evaluating properties of plugins when they register."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        self.add_hookspecs(HookSpecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """The options of a hook implementation, or ``None`` for everything else."""
        member = inspect.getattr_static(plugin, name, None)
        if getattr(member, f"{PROJECT}_impl", None) is None:
            return None
        if inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member):
            raise PluginError(
                f"hook {name} of plugin {_name(plugin)!r} must not be async: hooks are called synchronously"
            )
        return super().parse_hookimpl_opts(plugin, name)

    def check(self) -> None:
        """Refuse implementations of hooks that don't exist.

        :raises PluginError: naming the hook and the nearest known one
        """
        try:
            self.check_pending()
        except pluggy.PluginValidationError as error:
            known = [name for name in vars(HookSpecs) if name.startswith("isthmus_")]
            unknown = [name for name in vars(self.hook) if name.startswith("isthmus_") and name not in known]
            near = get_close_matches(unknown[0], known, 1) if unknown else []
            hint = f"did you mean {near[0]}?" if near else "see the reference of hooks"
            raise PluginError(
                f"plugin {_name(error.plugin)!r} implements an unknown hook {', '.join(unknown)}: {hint}"
            ) from None


def _name(plugin: object) -> str:
    return str(inspect.getattr_static(plugin, "name", type(plugin).__name__))


def build_manager(plugins: Iterable[Plugin]) -> Manager:
    """A manager with these plugins; hooks call them in the order of their names.

    :raises PluginError: two have one name, or one implements an unknown hook
    """
    manager = Manager()
    # pluggy calls the last registered plugin first.
    for plugin in sorted(plugins, key=lambda one: one.name, reverse=True):
        if manager.has_plugin(plugin.name):
            raise PluginError(f"two active plugins are named {plugin.name!r}: deactivate one of them")
        manager.register(plugin, plugin.name)
    manager.check()
    return manager


@cache
def installed(group: Group) -> dict[str, EntryPoint]:
    """Entry points by name; the list is read once for each process."""
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def load(group: Group, name: str, blocked: Sequence[str] = ()) -> type[Plugin]:
    """The plugin class of that name; its module is imported here and not before.

    :raises PluginError: it is missing, blocked, broken or made for another version of the core
    """
    entry = installed(group).get(name)
    if entry is None:
        raise PluginError(_missing(group, name))
    if name in blocked:
        raise PluginError(f"plugin {name!r} is blocked by the configuration: take it off the list to use it")
    return _load(entry)


def _load(entry: EntryPoint) -> type[Plugin]:
    origin = f"plugin {entry.name!r} of {_distribution(entry)}"
    try:
        loaded = entry.load()
    except Exception as error:
        raise PluginError(f"{origin} fails to import ({type(error).__name__}): reinstall or block it") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
        raise PluginError(f"{origin} is not a subclass of isthmus.Plugin: ask its author")
    if not admits(loaded.requires, CORE_VERSION):
        raise PluginError(
            f"{origin} needs isthmus {loaded.requires}, this is {CORE_VERSION}: install a matching version"
        )
    return loaded


def _missing(group: Group, name: str) -> str:
    known = ", ".join(installed(group)) or "none"
    near = get_close_matches(name, list(installed(group)), 1)
    hint = f"did you mean {near[0]!r}, or is it missing? Run" if near else "run"
    what = "no installed backend serves URLs that begin with" if group == BACKENDS else "no installed plugin is named"
    return f"{what} {name!r} (installed: {known}): {hint} pip install isthmus-{name}"


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def list_plugins(active: Sequence[str] = (), blocked: Sequence[str] = ()) -> list[PluginInfo]:
    """Every installed plugin with its state; each one that is not blocked is imported to see whether it works."""
    groups: tuple[Group, Group] = (BACKENDS, PLUGINS)
    return [_inspect(entry, group, active, blocked) for group in groups for entry in installed(group).values()]


def _inspect(entry: EntryPoint, group: Group, active: Sequence[str], blocked: Sequence[str]) -> PluginInfo:
    status: Status = "active" if entry.name in active else "available"
    reason = ""
    if entry.name in blocked:
        status = "blocked"
    else:
        try:
            _load(entry)
        except PluginError as error:
            status = "broken" if error.__cause__ or "subclass" in error.message else "incompatible"
            reason = error.message
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "unknown")
    return PluginInfo(entry.name, group, distribution, version, status, reason)
