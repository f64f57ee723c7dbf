"""Plugins: discovery by entry point, explicit activation, lazy loading, and one manager for each database.

Installing a package never changes what happens to data: a backend is chosen by its URL's scheme, every other plugin by
name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Container, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import pluggy
from attrs import frozen

from isthmus.errors import PluginError
from isthmus.hints import nearest
from isthmus.hookspecs import PROJECT, HookSpecs
from isthmus.versions import CORE_VERSION, admits

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["isthmus.backends", "isthmus.plugins"]
BACKENDS: Final = "isthmus.backends"
PLUGINS: Final = "isthmus.plugins"
Status = Literal["available", "active", "blocked", "broken", "incompatible"]

# A requirement without extras and conditions, in clauses that ``admits`` can read.
_CORE_REQUIREMENT: Final = re.compile(r"isthmus\s*\(?\s*((?:[<>=!]=?\s*[\d.]+\s*,?\s*)+)\)?\s*$")

# Packages that may be named before they are installed. Any other name could be anybody's package on an index.
FIRST_PARTY: dict[Group, tuple[str, ...]] = {BACKENDS: ("dynamodb", "mongodb", "sqlite"), PLUGINS: ("migration",)}


class Plugin(HookSpecs):
    """Base of all plugin classes.

    A class is made into an object once for each database. Plugins are compared by identity, so a class made with attrs
    needs ``eq=False``.

    :cvar name: unique; also the name of its configuration section
    :cvar requires: the versions of the core that it works with, ``">=0.1,<0.2"`` say
    :cvar settings: an attrs class that describes the configuration section, or ``None``: then a backend gets its
        options unchecked and as they were given, and any other plugin takes none. A field with ``repr=False`` is secret
    :param settings: an object of that class
    """

    name: ClassVar[str]
    requires: ClassVar[str] = ""
    settings: ClassVar[type | None] = None

    def __init__(self, settings: Any = None) -> None:
        self.configured = settings


PluginChoice = str | Plugin | type[Plugin]


@frozen
class PluginInfo:
    """One installed plugin and its state.

    :param reason: why it can't be used; empty when it can
    """

    name: str
    group: Group
    distribution: str
    version: str
    status: Status
    reason: str = ""


# ---- managers ----


class Manager(pluggy.PluginManager):
    """pluggy's manager: it never evaluates properties of plugins, says more when it refuses, and can be frozen."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        self.add_hookspecs(HookSpecs)
        self._frozen = False

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """The options of a hook implementation, or ``None`` for everything else.

        :raises PluginError: it is async, or lacks its mark
        """
        member = inspect.getattr_static(plugin, name, None)
        function = getattr(member, "__func__", member)
        if getattr(function, f"{PROJECT}_impl", None) is None:
            if _looks_like_hook(name, function):
                raise PluginError(
                    f"hook {name} of plugin {_name(plugin)!r} is not marked: put @isthmus.hookimpl above it"
                )
            return None
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginError(
                f"hook {name} of plugin {_name(plugin)!r} must not be async: hooks are called synchronously"
            )
        options = super().parse_hookimpl_opts(plugin, name)
        if options and (options["wrapper"] or options["hookwrapper"]):
            raise PluginError(f"hook {name} of plugin {_name(plugin)!r} must not be a wrapper: write a layer instead")
        return options

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Add a plugin while the database opens.

        :raises PluginError: the database is open, the name is taken, or a hook has wrong arguments
        """
        if self._frozen:
            raise PluginError(f"plugin {_name(plugin)!r} comes too late: name it when the database is opened")
        if name is not None and self.has_plugin(name):
            raise PluginError(f"two active plugins are named {name!r}: deactivate one of them")
        try:
            return super().register(plugin, name)
        except pluggy.PluginValidationError as error:
            first, _, rest = str(error).partition("\n")
            detail = rest.strip().splitlines()[-1] if rest.strip() else first
            raise PluginError(f"plugin {_name(plugin)!r} does not fit a hook: {detail}") from None

    def freeze(self) -> None:
        """Refuse further plugins."""
        self._frozen = True

    def check(self) -> None:
        """Refuse implementations of hooks that don't exist, unless they are marked ``optionalhook``.

        :raises PluginError: naming each such hook with the nearest known one
        """
        known = hook_names()
        unknown = [
            f"plugin {impl.plugin_name!r} implements {name}, {_hint(name, known)}"
            for name, caller in sorted(vars(self.hook).items())
            if name.startswith(f"{PROJECT}_") and name not in known
            for impl in caller.get_hookimpls()
            if not impl.optionalhook
        ]
        if unknown:
            raise PluginError("; ".join(unknown))


def hook_names() -> list[str]:
    """The names of all hooks."""
    return [name for name in vars(HookSpecs) if name.startswith(f"{PROJECT}_")]


def _looks_like_hook(name: str, function: object) -> bool:
    """Whether a plugin's own function has a hook's name; the specifications that it inherits are no implementations."""
    return name.startswith(f"{PROJECT}_") and inspect.isfunction(function) and function is not vars(HookSpecs).get(name)


def _hint(name: str, known: list[str]) -> str:
    near = nearest(name, known, 2, 0.75)
    return f"which is no hook: did you mean {' or '.join(near)}?" if near else "which is no hook: see the list of hooks"


def _name(plugin: object) -> str:
    name = inspect.getattr_static(plugin, "name", None)
    return name if isinstance(name, str) else type(plugin).__name__


def build_manager(plugins: Iterable[Plugin]) -> Manager:
    """A manager with these plugins; hooks call them in the order of their names.

    :raises PluginError: two have one name, one can't be told from another, or one implements an unknown hook
    """
    manager = Manager()
    # pluggy calls the last registered plugin first.
    for plugin in sorted(plugins, key=lambda one: one.name, reverse=True):
        check_class(type(plugin))
        manager.register(plugin, plugin.name)
    manager.check()
    return manager


def check_class(plugin: type[Plugin]) -> None:
    """Refuse a class that can't take part.

    :raises PluginError: it has no name, compares by value, or works with other versions of the core
    """
    reason = _flaw(plugin) or _misfit(plugin.requires)
    if reason:
        raise PluginError(f"plugin {plugin.__name__} {reason}")


def _flaw(plugin: type[Plugin]) -> str:
    if not isinstance(inspect.getattr_static(plugin, "name", None), str):
        return "has no name: give its class the attribute `name`"
    if plugin.__eq__ is not object.__eq__:
        return "compares by value, so two databases could share one: make its class with @attrs.define(eq=False)"
    return ""


def _misfit(versions: str) -> str:
    if admits(versions, CORE_VERSION):
        return ""
    return f"needs isthmus {versions}, this is {CORE_VERSION}: install a matching version"


def _distribution_range(entry: EntryPoint) -> str:
    """The versions of the core that the distribution asks for; an installer may have been told to ignore them."""
    for requirement in (entry.dist.requires if entry.dist else None) or ():
        match = _CORE_REQUIREMENT.match(requirement)
        if match:
            return match.group(1)
    return ""


def _why(error: Exception) -> str:
    missing = f" of {error.name}" if isinstance(error, ImportError) and error.name else ""
    return f"{type(error).__name__}{missing}"


# ---- discovery ----


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """Entry points by name. The list is read once for each process; ``installed.cache_clear()`` makes it read again."""
    from importlib.metadata import entry_points  # slow to load, and not needed before a plugin is looked for

    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


@frozen
class _Loaded:
    """How importing an entry point ended."""

    status: Literal["available", "broken", "incompatible"]
    plugin: type[Plugin] | None = None
    reason: str = ""
    cause: Exception | None = None


def load(group: Group, name: str, blocked: Container[str] = ()) -> type[Plugin]:
    """The plugin class of that name; its module is imported here and not before.

    :raises PluginError: it is missing, blocked, broken or made for another version of the core
    """
    if name in blocked:
        raise PluginError(f"plugin {name!r} is blocked by the configuration: take it off the list to use it")
    entry = installed(group).get(name)
    if entry is None:
        raise PluginError(_missing(group, name))
    loaded = _load(entry)
    if loaded.plugin is None:
        distribution, version = _origin(entry)
        raise PluginError(f"plugin {name!r} of {distribution} {version} {loaded.reason}") from loaded.cause
    return loaded.plugin


def _load(entry: EntryPoint) -> _Loaded:
    try:
        plugin = entry.load()
    except Exception as error:  # a broken plugin may raise anything while it is imported
        return _Loaded("broken", None, f"fails to import ({_why(error)}): reinstall it, or block it", error)
    if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
        return _Loaded("broken", None, "is not a subclass of isthmus.Plugin: ask its author")
    try:
        flaw, misfit = _flaw(plugin), _misfit(plugin.requires) or _misfit(_distribution_range(entry))
    except PluginError as error:
        return _Loaded("broken", None, f"can't be checked: {error.message}")
    if flaw or misfit:
        return _Loaded("broken" if flaw else "incompatible", None, flaw or misfit)
    return _Loaded("available", plugin)


def _missing(group: Group, name: str) -> str:
    known = list(installed(group))
    what = f"no installed backend serves {name!r}" if group == BACKENDS else f"no installed plugin is named {name!r}"
    what = f"{what} (installed: {', '.join(known) or 'none'})"
    if name in FIRST_PARTY[group]:
        return f"{what}: pip install isthmus-{name}"
    near = nearest(name, {*known, *FIRST_PARTY[group]})
    if not near:
        return f"{what}: install the package that brings it, by custom called isthmus-{name}"
    return f"{what}: did you mean {near[0]!r}?" + ("" if near[0] in known else f" pip install isthmus-{near[0]}")


def _origin(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "unknown")


def list_plugins(active: Container[str] = (), blocked: Container[str] = ()) -> list[PluginInfo]:
    """Every installed plugin with its state; each one that is not blocked is imported to see whether it works."""
    groups: tuple[Group, Group] = (BACKENDS, PLUGINS)
    return [_inspect(entry, group, active, blocked) for group in groups for entry in installed(group).values()]


def _inspect(entry: EntryPoint, group: Group, active: Container[str], blocked: Container[str]) -> PluginInfo:
    if entry.name in blocked:
        return PluginInfo(entry.name, group, *_origin(entry), "blocked", "the configuration blocks it")
    loaded = _load(entry)
    works = loaded.plugin is not None
    status: Status = "active" if works and entry.name in active else loaded.status
    return PluginInfo(entry.name, group, *_origin(entry), status, loaded.reason)
