"""The SQLite backend fulfils the contract."""

from pathlib import Path

import pytest

from isthmus_conformance import BackendSuite
from isthmus_conformance.suites.capabilities import CapabilitiesSuite
from isthmus_conformance.suites.life_cycle import LifeCycleSuite


class TestFile(BackendSuite):
    """A file. It is not waited for, which changes no meaning but that of a power failure."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        """A file of its own for each test."""
        return f"sqlite:///{tmp_path}/data.db?synchronous=off"


class TestDurableFile(CapabilitiesSuite, LifeCycleSuite):
    """A file as callers get it by default."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        """A file of its own for each test."""
        return f"sqlite:///{tmp_path}/data.db"


class TestInMemory(CapabilitiesSuite):
    """A database that lives in the process's memory."""

    @pytest.fixture
    def source(self) -> str:
        """A database of its own for each test."""
        return "sqlite://"
