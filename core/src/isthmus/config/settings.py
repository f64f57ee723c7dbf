"""Configuration: what a database needs to open, merged from its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

from isthmus.retries import RetryPolicy


@frozen
class Settings:
    """Everything that ``connect`` needs.

    :param url: ``scheme://…``; the scheme names the backend
    :param plugins: names of the plugins to activate
    :param blocked: names of plugins that must not be loaded
    :param timeout: default deadline of each call, seconds; ``None`` for none
    :param sections: settings of plugins and backends by name
    """

    url: str
    plugins: tuple[str, ...] = field(default=(), converter=tuple)
    blocked: tuple[str, ...] = field(default=(), converter=tuple)
    timeout: float | None = None
    retry_policy: RetryPolicy = RetryPolicy()
    sections: Mapping[str, Mapping[str, Any]] = field(factory=dict)

    def backend_options(self, scheme: str) -> dict[str, Any]:
        """The backend's options: those of the URL, then those of its section."""
        return {**dict(parse_qsl(urlsplit(self.url).query, True)), **self.sections.get(scheme, {})}

    def section(self, name: str, kind: type | None) -> Any:
        """A plugin's settings as an object of its settings class."""
        return None if kind is None else kind(**self.sections.get(name, {}))
