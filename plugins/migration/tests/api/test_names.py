"""What ``import isthmus_migration`` gives."""

from __future__ import annotations

import inspect

import pytest

import isthmus_migration
from isthmus_migration import AsyncMigration, DeadLetters, Migration
from isthmus_migration.async_migration import AsyncDeadLetters


@pytest.mark.parametrize("name", isthmus_migration.__all__)
def test_each_public_name_leads_to_something(name: str) -> None:
    """And is found by dir()."""
    assert getattr(isthmus_migration, name).__doc__
    assert name in dir(isthmus_migration)


def test_another_name_is_refused() -> None:
    """As any module refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'Migraton'"):
        isthmus_migration.Migraton  # noqa: B018  # the access raises


def _methods(kind: type) -> dict[str, list[tuple[str, object]]]:
    found = {}
    for name, member in inspect.getmembers(kind, inspect.isroutine):
        if not name.startswith("_"):
            parameters = inspect.signature(member).parameters.values()
            found[name] = [(one.name, one.default) for one in parameters]
    return found


@pytest.mark.parametrize(("blocking", "twin"), [(Migration, AsyncMigration), (DeadLetters, AsyncDeadLetters)])
def test_the_awaited_form_has_the_same_methods_and_parameters(blocking: type, twin: type) -> None:
    """Code moves between both by adding or removing ``await``."""
    assert len(_methods(blocking)) > 3
    assert _methods(twin) == _methods(blocking)


def test_both_ways_of_comparing_take_the_same() -> None:
    """``averify`` is ``verify``, awaited."""
    sync, twin = inspect.signature(isthmus_migration.verify), inspect.signature(isthmus_migration.averify)
    assert list(sync.parameters.values()) == list(twin.parameters.values())
