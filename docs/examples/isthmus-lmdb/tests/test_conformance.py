"""The whole contract, sync and async."""

from pathlib import Path

import pytest

from isthmus_conformance import BackendSuite


class TestLMDB(BackendSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        return f"lmdb:///{tmp_path / 'store.lmdb'}"
