"""From all sources to ``Settings``: read, merge, check, and report every problem at once."""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import define, field, fields_dict

from isthmus.config import sources
from isthmus.config.checking import Checker
from isthmus.config.settings import Settings
from isthmus.config.sources import CORE_NAMES, CORE_SECTION, FALLBACK_SECTION, OWN, CoreOptions, Given, Read
from isthmus.errors import ConfigurationError, PluginError
from isthmus.hints import nearest
from isthmus.plugins import (
    BACKENDS,
    FIRST_PARTY,
    PLUGINS,
    Plugin,
    PluginChoice,
    build_manager,
    check_class,
    installed,
    load,
)
from isthmus.redaction import redacted_url
from isthmus.retries import RetryPolicy
from isthmus.secrets import CoreSecrets

_WAYS = (
    'no database is named: pass a URL such as "sqlite:///shop.db", set ISTHMUS_URL, or write url = "sqlite:///shop.db" '
    "below [isthmus] in isthmus.toml"
)
UrlUse = Literal["required", "optional", "ignored"]
# A scheme has two letters or more, so that the drive of a Windows path is none.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def load_settings(
    url: str | None = None,
    *,
    plugins: Iterable[PluginChoice] | None = None,
    blocked: Iterable[str] | None = None,
    timeout: float | None = None,
    retry_policy: RetryPolicy | None = None,
    config_file: str | os.PathLike[str] | None = None,
    sections: Mapping[str, Any] | None = None,
    url_use: UrlUse = "required",
) -> Settings:
    """Read and check the configuration; arguments that are ``None`` are left to the environment and the file.

    :param plugins: names, classes or objects; they replace those of the environment and the file
    :param timeout: default deadline of each call, seconds
    :param retry_policy: replaces what the other sources say about retries
    :param config_file: a TOML file to read in place of ``isthmus.toml``
    :param sections: options by section; a section is a mapping
    :param url_use: ``optional`` admits that there is none; ``ignored`` reads none and loads no backend
    :raises ConfigurationError: ``problems`` names all that is wrong, each with its place
    :raises PluginError: nothing is wrong but one plugin
    """
    options = {
        "url": url,
        "plugins": _listed(plugins),
        "blocked": _listed(blocked),
        "timeout": timeout,
    }
    path = sources.find_file(config_file)
    loading = _Loading(sources.from_code(options, sections or {}), retry_policy)
    loading.file = loading.read(lambda: sources.from_file(path)) if path else ()
    return loading.run(url_use)


def _listed(given: object) -> object:
    """Any iterable as a list; text and whatever else there is stays, and is judged as in every other source."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else given


def active_plugins(settings: Settings) -> list[Plugin]:
    """New objects of the active plugins, each with its settings, without the backend's.

    :raises PluginError: a plugin can't be loaded
    """
    return [_activate(choice, settings) for choice in settings.choices]


def _activate(choice: PluginChoice, settings: Settings) -> Plugin:
    if isinstance(choice, Plugin):
        return choice
    plugin = load(PLUGINS, choice, settings.blocked) if isinstance(choice, str) else choice
    return plugin(settings.sections.get(plugin.name))


@define
class _Loading:
    """One reading of the configuration. ``given`` is what all sources say, the strongest source last."""

    code: Read
    retry_policy: RetryPolicy | None
    file: tuple[Given, ...] = ()
    query: tuple[Given, ...] = ()
    given: tuple[Given, ...] = ()
    blocked: tuple[str, ...] = ()
    classes: dict[str, type[Plugin]] = field(factory=dict)
    sections: dict[str, Any] = field(factory=dict)
    checker: Checker = field(factory=Checker)
    plugin_errors: list[PluginError] = field(factory=list)

    def run(self, url_use: UrlUse) -> Settings:
        self._gather()
        self.blocked = self._own("blocked") or ()
        choices = self._choices()
        self._prepare_secrets()
        url = None if url_use == "ignored" else self._own("url")
        scheme = "" if url_use == "ignored" else self._open_url(url, url_use)
        timeout, policy = self._timeout(), self._policy()
        self._check_fallback()
        self._check_names(scheme)
        self._check_sections(scheme)
        names = tuple(sorted(_name(choice) for choice in choices))
        self._describe("plugins", names)
        self._finish()
        rows = tuple(sorted(self.checker.rows, key=lambda row: ("." in row.name, row.name)))
        return Settings(url or "", names, self.blocked, timeout, policy, self.sections, choices, rows)

    # ---- sources ----

    def read(self, source: Callable[[], Read]) -> tuple[Given, ...]:
        """What a source holds; what is wrong with it is noted."""
        try:
            read = source()
        except ConfigurationError as error:
            read = Read(problems=error.problems)
        self.checker.add(read.problems)
        return read.given

    def _gather(self) -> None:
        """Read the environment again, now that more sections are known, and merge all sources."""
        schemas = {name: plugin.settings for name, plugin in self.classes.items()}
        environment = self.read(lambda: sources.from_environment(schemas))
        self.given = (*self.query, *self.file, *environment, *self.code.given)

    def _of(self, section: str) -> list[Given]:
        return [given for given in self.given if given.section == section and given.name]

    def _last(self, name: str) -> Given | None:
        return next((given for given in reversed(self._of(OWN)) if given.name == name), None)

    # ---- the core's options ----

    def _own(self, name: str) -> Any:
        """The value of an option of the core; each source's is checked, the last one wins."""
        kind = fields_dict(CoreOptions)[name].type
        found = [self.checker.value(given, kind) for given in self._of(OWN) if given.name == name]
        value = found[-1][0] if found and found[-1] else None
        self._describe(name, value)
        return value

    def _describe(self, name: str, value: Any) -> None:
        self.checker.describe(OWN, name, value, self._last(name))

    def _timeout(self) -> float | None:
        timeout: float | None = self._own("timeout")
        given = self._last("timeout")
        if timeout is not None and given and not 0 < timeout < math.inf:
            self.checker.note(given.origin, "timeout expects a number of seconds above 0")
        return timeout

    def _policy(self) -> RetryPolicy:
        policy = self.checker.section(CORE_SECTION, RetryPolicy, self._of(CORE_SECTION))
        if self.retry_policy is None:
            return policy or RetryPolicy()
        self.checker.replace_rows(CORE_SECTION, self.retry_policy, "keyword retry_policy")
        return self.retry_policy

    def _check_fallback(self) -> None:
        """Note the settings of the core's own transactions; few databases need them, so their class is loaded late."""
        given = self._of(FALLBACK_SECTION)
        if given:
            from isthmus.fallback.options import FallbackOptions

            self.sections[FALLBACK_SECTION] = self.checker.section(FALLBACK_SECTION, FallbackOptions, given)

    # ---- plugins ----

    def _choices(self) -> tuple[PluginChoice, ...]:
        """The active plugins; their classes are loaded."""
        last = self._last("plugins")
        if last is None:
            return ()
        if last.origin.startswith("keyword"):
            choices = tuple(last.value)
        else:
            found = self.checker.value(last, tuple[str, ...])
            choices = found[0] if found else ()
        return tuple(choice for choice in choices if self._take(choice, last))

    def _take(self, choice: Any, given: Given) -> bool:
        if isinstance(choice, str):
            return self._attempt(lambda: self._add(load(PLUGINS, choice, self.blocked)))
        kind = choice if isinstance(choice, type) else type(choice)
        if not issubclass(kind, Plugin):
            self.checker.note(
                given.origin, f"plugins holds names, plugin classes and plugin objects, not {kind.__name__}"
            )
            return False
        return self._attempt(lambda: self._add(kind, kind is choice))

    def _add(self, plugin: type[Plugin], configurable: bool = True) -> None:
        check_class(plugin)
        if plugin.name in self.classes:
            raise PluginError(f"two active plugins are named {plugin.name!r}: deactivate one of them")
        if plugin.name in self.blocked:
            raise PluginError(f"plugin {plugin.name!r} is blocked by the configuration: take it off the list to use it")
        self.classes[plugin.name] = plugin
        if not configurable:
            self.sections[plugin.name] = None

    def _attempt(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except PluginError as error:
            self.plugin_errors.append(error)
            return False
        return True

    def _prepare_secrets(self) -> None:
        """Let active plugins that resolve secrets take part; their own options are checked before all others."""
        resolvers = [plugin for plugin in self.classes.values() if _resolves(plugin)]
        if not resolvers:
            return
        self._gather()
        for plugin in resolvers:
            self._check_section(plugin.name, backend=False)
        self.checker.secrets = build_manager(
            [CoreSecrets(), *(plugin(self.sections.get(plugin.name)) for plugin in resolvers)]
        )

    # ---- the URL ----

    def _open_url(self, url: str | None, url_use: UrlUse) -> str:
        """Load the backend that a URL names and return the URL's scheme; ``""`` without one."""
        given = self._last("url")
        if given is None:
            self.checker.add([_WAYS] if url_use == "required" else [])
            return ""
        if url is None:
            return ""
        problem = _url_problem(url)
        if problem:
            self.checker.note(given.origin, problem)
            return ""
        scheme = urlsplit(url).scheme
        self._attempt(lambda: self._add(load(BACKENDS, scheme, self.blocked)))
        self.query = self.read(lambda: sources.from_url(url))
        self._gather()
        return scheme

    # ---- sections ----

    def _check_names(self, scheme: str) -> None:
        """Note options of the core and sections that nobody knows."""
        own = (CORE_SECTION, FALLBACK_SECTION)
        sections = sorted({*own, *self.classes, *installed(BACKENDS), *installed(PLUGINS), scheme} - {""})
        for given in self._of(OWN):
            if given.name not in CORE_NAMES or given.name == CORE_SECTION:
                self._note_own(given, sections)
        for section, given in self._first_of_sections():
            if section not in sections:
                self.checker.note(given.origin, f"section {section} is unknown: {_section_hint(section, sections)}")

    def _note_own(self, given: Given, sections: list[str]) -> None:
        if given.name in sections:
            self.checker.note(given.origin, f"{given.name} expects a table of options")
        else:
            self.checker.unknown(given, [*CORE_NAMES, *sections])

    def _first_of_sections(self) -> Iterator[tuple[str, Given]]:
        seen = {OWN}
        for given in self.given:
            if given.section not in seen:
                seen.add(given.section)
                yield given.section, given

    def _check_sections(self, scheme: str) -> None:
        for name in self.classes:
            if name not in self.sections:
                self._check_section(name, backend=name == scheme)

    def _check_section(self, name: str, *, backend: bool) -> None:
        kind, given = self.classes[name].settings, self._of(name)
        if kind is not None:
            self.sections[name] = self.checker.section(name, kind, given)
        elif backend:
            self.sections[name] = self.checker.unchecked(given)
        else:
            for one in given:
                self.checker.unknown(one, ())
            self.sections[name] = None

    # ---- the end ----

    def _finish(self) -> None:
        problems = [*self.checker.problems, *(error.message for error in self.plugin_errors)]
        if not problems:
            return
        if len(self.plugin_errors) == len(problems) == 1:
            raise self.plugin_errors[0]
        text = problems[0] if len(problems) == 1 else f"{len(problems)} problems in the configuration:"
        lines = [f"- {problem}" for problem in problems] if len(problems) > 1 else []
        raise ConfigurationError("\n".join([text, *lines]), problems=problems)


def _name(choice: PluginChoice) -> str:
    return choice if isinstance(choice, str) else choice.name


def _resolves(plugin: type[Plugin]) -> bool:
    own = inspect.getattr_static(plugin, "isthmus_resolve_secret")
    return own is not inspect.getattr_static(Plugin, "isthmus_resolve_secret")


def _url_problem(url: str) -> str | None:
    if not url:
        return _WAYS
    if not _SCHEME.match(url):
        shown = redacted_url(url)
        return f"{shown!r} has no scheme: a file is opened with sqlite:///{shown}"
    try:
        urlsplit(url)
    except ValueError:  # its text may hold the password
        return "the URL can't be read: percent-encode special characters of its user name and password"
    return None


def _section_hint(section: str, sections: list[str]) -> str:
    if any(section in FIRST_PARTY[group] for group in (BACKENDS, PLUGINS)):
        return f"pip install isthmus-{section}"
    near = nearest(section, sections)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(set(sections)))}"
