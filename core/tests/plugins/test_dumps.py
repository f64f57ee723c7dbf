"""Dump formats that a backend's plugin offers by the hook isthmus_dump_format."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.dumps import dump_format
from isthmus.errors import PluginError

_SOURCE = """
    from isthmus import Plugin, hookimpl

    class Made(Plugin):
        name = "paper"

        @hookimpl
        def isthmus_dump_format(self, name):
            return "the format" if name == "paperdump" else None
"""


def test_a_format_comes_from_the_named_plugin(install: Any) -> None:
    """The hook isthmus_dump_format of the one plugin is asked, and what it gives is handed on."""
    install("paper", _SOURCE, group="isthmus.backends")
    assert dump_format("paperdump", "paper") == "the format"  # type: ignore[comparison-overlap]


def test_a_format_that_the_plugin_lacks_is_an_error(install: Any) -> None:
    """The error names plugin and format."""
    install("paper", _SOURCE, group="isthmus.backends")
    with pytest.raises(PluginError, match="'paper' has no dump format 'stonedump'"):
        dump_format("stonedump", "paper")


def test_a_plugin_that_is_missing_is_an_error(install: Any) -> None:
    """The error of loading a plugin tells what to install."""
    install("paper", _SOURCE)
    with pytest.raises(PluginError, match="no installed backend serves 'paper'"):
        dump_format("paperdump", "paper")
