"""Checks of what the sources hold: names, types and values. Problems are collected, never raised one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pluggy
from attrs import NOTHING, Attribute, asdict, define, field, fields_dict, resolve_types

from isthmus.config.conversion import convert
from isthmus.config.settings import SettingRow
from isthmus.config.sources import OWN, Given, variable
from isthmus.errors import ConfigurationError, IsthmusError
from isthmus.hints import nearest
from isthmus.plugins import build_manager
from isthmus.redaction import HIDDEN, is_secret_name, redacted_url
from isthmus.secrets import CoreSecrets, is_reference, resolve_secret


@define
class Checker:
    """Turns given values into checked ones, and remembers every problem and the source of every value."""

    problems: list[str] = field(factory=list)
    rows: list[SettingRow] = field(factory=list)
    secrets: pluggy.PluginManager = field(factory=lambda: build_manager([CoreSecrets()]))

    def note(self, origin: str, problem: str) -> None:
        """Remember a problem, once."""
        self.add([f"{origin}: {problem}"])

    def add(self, problems: Iterable[str]) -> None:
        """Remember problems that name their place themselves, each once."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    # ---- one value ----

    def value(self, given: Given, kind: Any) -> tuple[Any] | None:
        """The converted value in a tuple, or ``None`` after noting what is wrong with it."""
        try:
            return (convert(self._resolved(given.value), kind),)
        except ConfigurationError as error:
            self.note(given.origin, f"{given.dotted}: {error.message}")
        except ValueError as error:
            self.note(given.origin, f"{given.dotted} {error}")
        return None

    def _resolved(self, value: Any) -> Any:
        return resolve_secret(value, self.secrets) if is_reference(value) else value

    def unknown(self, given: Given, known: Sequence[str]) -> None:
        """Note that an option has no such name."""
        near = nearest(given.name, known)
        if not known:
            hint = f"{given.section} takes no options"
        elif near:
            hint = f"did you mean {_spelled(given, near[0])}?"
        else:
            hint = f"known are {', '.join(sorted(set(known)))}"
        self.note(given.origin, f"{given.dotted} is unknown: {hint}")

    # ---- one section ----

    def section(self, name: str, kind: type, given: Iterable[Given]) -> Any:
        """An object of a settings class; later values win. ``None`` after noting what is wrong.

        Every value is checked, also one that another source overrides.
        """
        options = _options(kind)
        values: dict[str, Any] = {}
        origins: dict[str, Given] = {}
        before = len(self.problems)
        for one in given:
            option = options.get(one.name)
            if option is None:
                self.unknown(one, list(options))
            elif (found := self.value(one, option.type or Any)) and self._valid(one, option, found[0]):
                values[option.alias or option.name], origins[one.name] = found[0], one
        self._note_missing(name, options, {one.name for one in given})
        if len(self.problems) > before:
            return None
        return self._made(name, kind, values, origins, options)

    def unchecked(self, given: Iterable[Given]) -> dict[str, Any]:
        """The options of a backend that declares none: secrets are resolved, nothing else is looked at."""
        options: dict[str, Any] = {}
        for one in given:
            found = self.value(one, Any)
            if found:
                options[one.name] = found[0]
                self.rows = [row for row in self.rows if row.name != one.dotted]
                self.describe(one.section, one.name, found[0], one)
        return options

    def _valid(self, given: Given, option: Attribute[Any], value: Any) -> bool:
        """Whether the option's own validator admits the value."""
        try:
            if option.validator is not None and option.converter is None:
                option.validator(None, option, value)
        except (ValueError, TypeError, IsthmusError) as error:
            self.note(given.origin, f"{given.dotted} {_reason(error, secret=_is_secret(option, given))}")
            return False
        return True

    def _note_missing(self, name: str, options: Mapping[str, Attribute[Any]], given: set[str]) -> None:
        for option in options.values():
            if _is_required(option) and option.name not in given:
                self.note(
                    name, f"{name}.{option.name} is missing: set it in the file, or as {variable(name, option.name)}"
                )

    def _made(
        self,
        name: str,
        kind: type,
        values: Mapping[str, Any],
        origins: Mapping[str, Given],
        options: Mapping[str, Attribute[Any]],
    ) -> Any:
        try:
            made = kind(**values)
        except (ValueError, TypeError, IsthmusError) as error:
            place = ", ".join(dict.fromkeys(one.origin for one in origins.values())) or name
            secret = any(_is_secret(options[one.name], one) for one in origins.values())
            self.note(place, f"{name} {_reason(error, secret=secret)}")
            return None
        for option in options.values():
            self.describe(name, option.name, getattr(made, option.name), origins.get(option.name), option)
        return made

    # ---- what people see ----

    def describe(
        self, section: str, name: str, value: Any, given: Given | None, option: Attribute[Any] | None = None
    ) -> None:
        """Remember a value for ``describe_settings``."""
        dotted = f"{section}.{name}" if section else name
        secret = is_secret_name(name) or (given is not None and is_reference(given.value)) or _is_hidden(option)
        text = HIDDEN if secret and value is not None else _text(value)
        self.rows.append(SettingRow(dotted, text, given.origin if given else "default"))

    def replace_rows(self, section: str, made: Any, source: str) -> None:
        """Describe an object that was given in place of a section."""
        self.rows = [row for row in self.rows if not row.name.startswith(f"{section}.")]
        values = asdict(made, recurse=False)
        self.rows += [SettingRow(f"{section}.{name}", _text(value), source) for name, value in values.items()]


def _options(kind: type) -> dict[str, Attribute[Any]]:
    try:
        resolve_types(kind)
    except NameError:  # a type that exists for type checkers only: cattrs takes such values as they are
        return {name: option.evolve(type=Any) for name, option in fields_dict(kind).items() if option.init}
    return {name: option for name, option in fields_dict(kind).items() if option.init}


def _is_required(option: Attribute[Any]) -> bool:
    return option.default is NOTHING


def _is_hidden(option: Attribute[Any] | None) -> bool:
    return option is not None and option.repr is not True


def _is_secret(option: Attribute[Any], given: Given) -> bool:
    return _is_hidden(option) or is_secret_name(given.name) or is_reference(given.value)


def _reason(error: Exception, *, secret: bool) -> str:
    """What a validator said, unless that may hold the secret."""
    return "has a value that is not allowed" if secret else f"is not allowed: {error.args[0] if error.args else error}"


def _spelled(given: Given, name: str) -> str:
    """A name as the source of a value would write it."""
    return variable(given.section, name) if given.origin.startswith(variable(OWN)) else name


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(_text(part) for part in value)
    return redacted_url(str(value))
