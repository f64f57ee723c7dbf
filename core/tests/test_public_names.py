"""The package's own names, which are loaded when they are first used."""

import subprocess
import sys

import pytest

import isthmus


def test_every_public_name_has_a_place() -> None:
    """The list of public names and the list of their places agree."""
    assert sorted(isthmus.__all__) == sorted(isthmus._PLACES)


@pytest.mark.parametrize("name", isthmus.__all__)
def test_public_name_loads(name: str) -> None:
    """Each name is there, and stays the same object."""
    assert getattr(isthmus, name) is getattr(isthmus, name)


def test_unknown_name() -> None:
    """A name that does not exist is an AttributeError as with any module."""
    with pytest.raises(AttributeError, match="nonsense"):
        isthmus.nonsense  # noqa: B018  # the access is the test


def test_submodules_are_attributes() -> None:
    """Errors and the like need no import of their own."""
    code = "import isthmus; print(isthmus.errors.ConditionFailed.code)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "condition_failed\n"


def test_the_sync_half_leaves_the_async_half_alone() -> None:
    """A program that connects synchronously does not load the async database."""
    code = "import sys, isthmus; isthmus.connect('memory://'); print('isthmus.async_database' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
