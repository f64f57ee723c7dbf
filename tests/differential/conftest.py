"""``--histories``: how many histories the differential test generates, and ``--histories-seed``: which ones."""

from __future__ import annotations

import pytest

IN_CI = 200
WHILE_CODING = 24


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which exist where this folder is named on the command line."""
    parser.addoption("--histories", type=int, help="how many histories to run on all backends")
    parser.addoption("--histories-seed", type=int, default=0, help="where their generator starts")
