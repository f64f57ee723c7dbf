"""Where settings come from: each source becomes a list of ``Given``, which remember their place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, fields_dict, frozen, make_class, resolve_types

from isthmus.config.lines import KeyPath, lines_of, syntax_problem
from isthmus.errors import ConfigurationError
from isthmus.retries import RetryPolicy

FILE = "isthmus.toml"
PREFIX = "ISTHMUS_"
FILE_VARIABLE = "ISTHMUS_CONFIG"
OWN = ""
# The name of a value that only tells where a section begins.
HEADER = ""
# Variables that belong to the project and are no settings of a database.
_NOT_SETTINGS = (FILE_VARIABLE, "ISTHMUS_CONFORMANCE_", "ISTHMUS_ENGINE_", "ISTHMUS_TEST_")


@frozen
class CoreOptions:
    """The options outside of all sections, with the types that they convert to."""

    url: str = ""
    plugins: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    timeout: float | None = None
    retry: RetryPolicy = field(factory=RetryPolicy)


resolve_types(CoreOptions)
CORE_NAMES = tuple(fields_dict(CoreOptions))
CORE_SECTION = "retry"
FALLBACK_SECTION = "fallback"


@frozen
class Given:
    """One value from one source.

    :param section: the name of a plugin or backend, ``retry``, or ``OWN`` for the core's own options
    :param origin: file and line, variable, keyword or URL
    """

    section: str
    name: str
    value: Any = field(repr=False)
    origin: str

    @property
    def dotted(self) -> str:
        """The option's full name."""
        return f"{self.section}.{self.name}" if self.section else self.name


@frozen
class Read:
    """What one source holds, and what is wrong with it."""

    given: tuple[Given, ...] = ()
    problems: tuple[str, ...] = ()


def from_url(url: str) -> Read:
    """The options in a URL's query; they belong to the backend."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _value in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    problems = tuple(f"URL: option {name} is given more than once" for name in repeated)
    return Read(tuple(Given(parts.scheme, name, value, "URL") for name, value in pairs), problems)


def from_code(options: Mapping[str, Any], sections: Mapping[str, Any]) -> Read:
    """Keyword arguments; those that are ``None`` were not given."""
    given = [Given(OWN, name, value, f"keyword {name}") for name, value in options.items() if value is not None]
    for section, values in sections.items():
        if isinstance(values, Mapping):
            given += [Given(section, str(name), value, f"keyword {section}") for name, value in values.items()]
        else:
            given.append(Given(OWN, section, values, f"keyword {section}"))
    return Read(tuple(given))


# ---- the file ----


def find_file(config_file: str | os.PathLike[str] | None) -> str | None:
    """The file to read: the one that the caller or a variable names, else ``isthmus.toml`` where there is one."""
    named = os.fspath(config_file) if config_file is not None else os.environ.get(FILE_VARIABLE)
    return named or (FILE if Path(FILE).is_file() else None)


def from_file(path: str) -> Read:
    """The options of a TOML file."""
    _require_typed_settings(path)
    from typed_settings.exceptions import ConfigFileLoadError, ConfigFileNotFoundError
    from typed_settings.loaders import TomlFormat

    try:
        document = TomlFormat(None)(Path(path), CoreOptions, ())
        lines = lines_of(Path(path).read_text(encoding="utf-8"))
    except ConfigFileNotFoundError:
        return Read(problems=(f"{path}: the file does not exist",))
    except (ConfigFileLoadError, OSError, UnicodeDecodeError) as error:
        return Read(problems=(_unreadable(path, error),))
    return _File(path, lines).read(dict(document))


def _unreadable(path: str, error: Exception) -> str:
    import tomllib

    cause = error.__cause__ or error
    if not isinstance(cause, tomllib.TOMLDecodeError):
        return f"{path}: the file can't be read ({type(cause).__name__})"
    line, reason = syntax_problem(cause)
    return f"{path}{f':{line}' if line else ''}: invalid TOML: {reason}"


@frozen
class _File:
    """A parsed file with the lines of its keys."""

    path: str
    lines: Mapping[KeyPath, int]

    def read(self, document: dict[str, Any]) -> Read:
        table = document.pop("isthmus", {})
        problems = [
            f"{self._at(name)}: {name} is outside of the table [isthmus]: write [isthmus] above it" for name in document
        ]
        if not isinstance(table, dict):
            return Read(problems=(*problems, f"{self._at('isthmus')}: isthmus must be a table: write [isthmus]"))
        return Read(tuple(self._given(table)), tuple(problems))

    def _given(self, table: Mapping[str, Any]) -> Iterable[Given]:
        for name, value in table.items():
            if isinstance(value, dict) and (name == CORE_SECTION or name not in CORE_NAMES):
                yield Given(name, HEADER, None, self._at("isthmus", name))
                for option, inner in value.items():
                    yield Given(name, option, inner, self._at("isthmus", name, option))
            else:
                yield Given(OWN, name, value, self._at("isthmus", name))

    def _at(self, *keys: str) -> str:
        return f"{self.path}:{self.lines[keys]}"


# ---- the environment ----


def variables() -> list[str]:
    """The variables that may be settings."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and not name.startswith(_NOT_SETTINGS))


def variable(*names: str) -> str:
    """The variable of an option."""
    return PREFIX + "__".join(name.upper().replace("-", "_") for name in names if name)


def from_environment(sections: Mapping[str, type | None]) -> Read:
    """The variables of the core's options and of these sections, then all others, which nobody may know.

    :param sections: settings classes by section; ``None`` where a section's options are not declared
    """
    names = variables()
    if not names:
        return Read()
    _require_typed_settings(names[0])
    loaded = _load(_root(sections))
    given = [*_core_variables(loaded), *_section_variables(loaded, {_field(name): name for name in sections})]
    claimed = {one.origin for one in given}
    tables = tuple(f"{one.origin}__" for one in given if isinstance(one.value, dict))
    rest = [_unclaimed(name, sections) for name in names if name not in claimed and not name.startswith(tables)]
    return Read((*given, *rest))


def _root(sections: Mapping[str, type | None]) -> type:
    """A class of all options, in the form that typed-settings reads."""
    declared = {_field(name): field(type=kind) for name, kind in sections.items() if kind is not None}
    return make_class("Configuration", declared, bases=(CoreOptions,), init=False, repr=False, eq=False, kw_only=True)


def _field(section: str) -> str:
    return section.replace("-", "_")


def _load(root: type) -> dict[str, Any]:
    from typed_settings.cls_utils import deep_options
    from typed_settings.loaders import EnvLoader

    return dict(EnvLoader(PREFIX, nested_delimiter="__")(root, deep_options(root)).settings)


def _core_variables(loaded: Mapping[str, Any]) -> list[Given]:
    return [Given(OWN, name, value, variable(name)) for name, value in loaded.items() if not isinstance(value, dict)]


def _section_variables(loaded: Mapping[str, Any], names: Mapping[str, str]) -> list[Given]:
    return [
        Given(names.get(section, section), name, value, variable(section, name))
        for section, values in loaded.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]


def _unclaimed(name: str, sections: Iterable[str]) -> Given:
    """A variable of an undeclared option, read by its spelling alone."""
    section, found, option = name.removeprefix(PREFIX).partition("__")
    if not found:
        return Given(OWN, section.lower(), os.environ[name], name)
    known = {variable(one).removeprefix(PREFIX): one for one in sections}
    return Given(known.get(section, section.lower()), option.lower(), os.environ[name], name)


def _require_typed_settings(reader: str) -> None:
    try:
        import typed_settings  # noqa: F401  # only to see whether it is there
    except ImportError:
        raise ConfigurationError(f'reading {reader} needs typed-settings: pip install "isthmus[config]"') from None
