"""Conformance kit of Isthmus: proves a backend or a layer against the numbered contract.

Inherit from ``BackendSuite`` and give it a ``source`` fixture; pytest finds the rest.
"""

from typing import TYPE_CHECKING, Any

import pytest

# Before the modules are imported: otherwise their assertions fail without saying what was compared.
pytest.register_assert_rewrite(
    "isthmus_conformance.suites", "isthmus_conformance.comparing", "isthmus_conformance.machines"
)

if TYPE_CHECKING:
    from isthmus_conformance.base import FakeClock, Suite
    from isthmus_conformance.layer_suite import LayerSuite
    from isthmus_conformance.rules import RULES, Rule, rule
    from isthmus_conformance.suite import BackendSuite

_HOMES = {
    "BackendSuite": "suite",
    "FakeClock": "base",
    "LayerSuite": "layer_suite",
    "RULES": "rules",
    "Rule": "rules",
    "Suite": "base",
    "rule": "rules",
}


def __getattr__(name: str) -> Any:
    # Every pytest run where the kit is installed imports this package; only users of a suite pay for more.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"isthmus_conformance.{_HOMES[name]}"), name)


__all__ = ["RULES", "BackendSuite", "FakeClock", "LayerSuite", "Rule", "Suite", "rule"]
