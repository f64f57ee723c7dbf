"""The reference backend fulfils the contract."""

import pytest

from isthmus_conformance import BackendSuite


class TestMemory(BackendSuite):
    """The memory backend."""

    @pytest.fixture
    def source(self) -> str:
        """A database of its own for each test."""
        return "memory://"
