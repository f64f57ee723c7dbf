"""The layer suite passes on layers that keep the contract."""

import pytest

from isthmus import Layer
from isthmus_conformance import LayerSuite
from isthmus_conformance.example_layers import Caching, PassThrough, Sealing


class TestStack(LayerSuite):
    """A layer that sees everything, one that transforms, and one that answers itself, in one stack."""

    transforms = True
    share = 0.5

    @pytest.fixture
    def layers(self) -> list[type[Layer]]:
        return [PassThrough, Sealing, Caching]
