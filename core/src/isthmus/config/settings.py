"""The merged, checked configuration of one database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen, has

from isthmus.plugins import PluginChoice
from isthmus.redaction import redacted_url
from isthmus.retries import RetryPolicy


@frozen
class SettingRow:
    """One setting for people to read.

    :param value: text, with secrets left out
    :param source: ``default``, ``URL``, a file with its line, a variable, or a keyword argument
    """

    name: str
    value: str
    source: str


@frozen(repr=False)
class Settings:
    """Everything that opens a database.

    :param url: ``scheme://…``; the scheme names the backend. Empty when none was asked for
    :param plugins: names of the active plugins
    :param blocked: names of plugins that must not be loaded
    :param timeout: default deadline of each call, seconds; ``None`` for none
    :param sections: settings of each plugin or backend by name: an object of its settings class, or a plain mapping
    :param choices: the active plugins as they were given: names, classes or objects
    :param rows: where each value came from; see ``describe_settings``
    """

    url: str
    plugins: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    timeout: float | None = None
    retry_policy: RetryPolicy = field(factory=RetryPolicy)
    sections: Mapping[str, Any] = field(factory=dict)
    choices: tuple[PluginChoice, ...] = ()
    rows: tuple[SettingRow, ...] = ()

    def __repr__(self) -> str:
        plugins = ", ".join(self.plugins)
        return f"<Settings {redacted_url(self.url)} plugins=[{plugins}] timeout={self.timeout} {self.retry_policy}>"

    def backend_options(self, scheme: str) -> dict[str, Any]:
        """The options of the backend, converted to the types of its settings class where it has one."""
        section = self.sections.get(scheme, {})
        return asdict(section, recurse=False) if has(type(section)) else dict(section)


def describe_settings(settings: Settings) -> list[SettingRow]:
    """Each setting with its value and its source; secrets are left out."""
    return list(settings.rows)
