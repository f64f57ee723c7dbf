"""``LayerSuite``: what the author of a cross-cutting plugin inherits.

It runs the whole contract on a database with the plugin's layers, and adds the tests of ``suites.layers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from isthmus import Backend, Database, Layer, Plugin, hookimpl
from isthmus_conformance.suite import BackendSuite
from isthmus_conformance.suites.layers import LayerTests

Layers = Plugin | Sequence[Layer | type[Layer]]


class _LayersUnderTest(Plugin):
    """Contributes the layers of a suite, those given as classes anew for each database."""

    name: ClassVar[str] = "layers-under-test"

    def __init__(self, layers: Sequence[Layer | type[Layer]]) -> None:
        super().__init__()
        self._layers = layers

    @hookimpl
    def isthmus_layers(self, database: Any) -> Sequence[Layer]:
        return [layer() if isinstance(layer, type) else layer for layer in self._layers]


def _view(database: Database) -> Any:
    """What hooks see of a database."""
    return database._pipeline  # noqa: SLF001  # there is no public way, and callers need none


class LayerSuite(LayerTests, BackendSuite):
    """The contract on a stack of layers (rule LYR-1). Inherit from it, and give it a fixture ``layers``.

    ``source`` may be given too; it is the memory backend unless a suite says otherwise.
    """

    @pytest.fixture
    def source(self) -> str | Backend:
        return "memory://"

    @pytest.fixture
    def layers(self) -> Layers:
        """The plugin under test, or layers. Those with a state are best given as classes, or by a plugin."""
        raise pytest.UsageError(f"{type(self).__name__} needs a fixture `layers` that returns layers or a plugin")

    @pytest.fixture
    def under_test(self, stack: tuple[Plugin, ...], database: Database) -> list[Layer]:
        """The layers that the plugin contributes."""
        found = [layer for plugin in stack for layer in plugin.isthmus_layers(_view(database))]
        assert found, "the plugin under test contributes no layers"
        return found

    @pytest.fixture
    def stack(self, layers: Layers) -> tuple[Plugin, ...]:
        return (layers if isinstance(layers, Plugin) else _LayersUnderTest(layers),)
