"""What ``import isthmus_migration`` gives."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

import isthmus_migration
from isthmus_migration import AsyncMigration, DeadLetters, Migration
from isthmus_migration.async_migration import AsyncDeadLetters


@pytest.mark.parametrize("name", isthmus_migration.__all__)
def test_each_public_name_leads_to_something(name: str) -> None:
    """And is found by dir()."""
    assert getattr(isthmus_migration, name).__doc__
    assert name in dir(isthmus_migration)


_INTERNAL = {"Setup", "SliceResult", "SliceTask", "Unit", "WorkDirectory"}
"""What coordinators, workers and engines pass to each other."""


def _classes(hint: Any) -> Iterator[str]:
    if inspect.isclass(hint) and hint.__module__.startswith("isthmus_migration"):
        yield hint.__name__
    for part in get_args(hint):
        yield from _classes(part)


def _given(kind: type) -> Iterator[str]:
    """The classes that people get from the attributes and methods of another one."""
    for name, hint in get_type_hints(kind).items():
        yield from () if name.startswith("_") else _classes(hint)
    for name, member in inspect.getmembers(kind):
        function = getattr(member, "fget", getattr(member, "__func__", member))
        if not name.startswith("_") and inspect.isfunction(function):
            yield from _classes(get_type_hints(function).get("return"))


@pytest.mark.parametrize("name", [name for name in isthmus_migration.__all__ if name[0].isupper()])
def test_what_people_are_given_has_a_public_name(name: str) -> None:
    """So that it is in the reference, and annotations can name it."""
    assert set(_given(getattr(isthmus_migration, name))) <= {*isthmus_migration.__all__, *_INTERNAL}


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
