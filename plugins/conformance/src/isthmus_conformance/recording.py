"""What a test leaves behind for the report: in its user properties, which pytest-xdist carries to the controller."""

from __future__ import annotations

from importlib.metadata import packages_distributions, version
from typing import Any

import pytest

from isthmus import Backend, Capability

PROPERTY = "isthmus_conformance"


def record_of(item: pytest.Item) -> dict[str, Any]:
    """The test's record, begun when it is first asked for."""
    for name, value in item.user_properties:
        if name == PROPERTY and isinstance(value, dict):
            return value
    record: dict[str, Any] = {}
    item.user_properties.append((PROPERTY, record))
    return record


def note_database(item: pytest.Item, backend: Backend, mode: str) -> None:
    """Remember which backend the test ran on."""
    record_of(item).update(backend=backend.name, version=_version(type(backend)), mode=mode)


def note_capabilities(item: pytest.Item, backend: Backend) -> None:
    """Remember the backend's declared levels, for the capability table."""
    levels = {capability.value: str(level) for capability, level in backend.capabilities.items()}
    record_of(item)["capabilities"] = levels


def note_probe(item: pytest.Item, backend: Backend, capability: Capability) -> None:
    """Remember that the test tries whether a capability is as declared."""
    record_of(item)["probed"] = [capability.value, str(backend.capabilities[capability])]


_VERSIONS: dict[str, str] = {}


def _version(cls: type) -> str:
    """The version of the distribution that holds a class, or nothing for a class of the tests themselves."""
    package = cls.__module__.partition(".")[0]
    if package not in _VERSIONS:
        names = packages_distributions().get(package, [])
        _VERSIONS[package] = version(names[0]) if names else ""
    return _VERSIONS[package]
