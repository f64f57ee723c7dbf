"""The suite that runs on one mutant, which the environment names; see ``running``."""

from __future__ import annotations

import os
from typing import Any

import pytest

from isthmus import Backend
from isthmus_conformance.base import FakeClock
from isthmus_conformance.layer_suite import LayerSuite
from isthmus_conformance.mutants.judging import MUTANT
from isthmus_conformance.mutants.registry import find
from isthmus_conformance.suite import BackendSuite

SUBJECT = find(os.environ.get(MUTANT, "control-backend"))

if SUBJECT.layer:

    class TestMutant(LayerSuite):
        """The stack with the layer under judgement."""

        transforms = bool(getattr(SUBJECT.made, "transforms", False))

        @pytest.fixture
        def layers(self) -> list[Any]:
            return [SUBJECT.made]

else:

    class TestMutant(BackendSuite):  # type: ignore[no-redef]  # one of the two is defined
        """The backend under judgement."""

        @pytest.fixture
        def source(self, clock: FakeClock) -> str | Backend:
            made: Any = SUBJECT.made
            backend: Backend = made(clock)
            return backend
