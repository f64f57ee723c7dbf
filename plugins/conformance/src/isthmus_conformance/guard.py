"""Nobody empties the kit by accident: to override or skip a part of it is an error, unless excused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getattr_static
from typing import Any

from isthmus_conformance.excusing import excuses, named_test

KIT = "isthmus_conformance."
OPEN = frozenset({"source", "layers", "clock", "stack", "foreign"})
"""The fixtures that suites give: the store, its clock, its own types. All others belong to the kit."""
LEAST_SHARE = 0.1
"""The smallest part of a profile's examples that a suite may run."""

_SILENCING = ("skip", "skipif", "xfail", "parametrize")


def from_kit(cls: type) -> bool:
    """Whether the class belongs to the kit itself."""
    return cls.__module__.startswith(KIT)


def kit_tests(cls: type) -> dict[str, Any]:
    """The tests that a suite inherits from the kit, by name."""
    return {name: value for name, value in _kit_members(cls).items() if name.startswith("test")}


def _kit_members(cls: type) -> dict[str, Any]:
    """Tests, fixtures and helpers that a suite inherits from the kit, by name."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if from_kit(base):
            found.update({name: value for name, value in vars(base).items() if callable(value) and name[:2] != "__"})
    return found


def overridden(cls: type) -> Iterator[str]:
    """Names of the kit's tests, fixtures and helpers that mean something else, or nothing, in ``cls``."""
    for name, member in _kit_members(cls).items():
        if name not in OPEN and getattr_static(cls, name, None) is not member:
            yield name


def check_suite(cls: type) -> None:
    """Refuse a suite that hides or skips parts of the kit, excuses what does not exist, or tries hardly any examples.

    :raises TypeError: naming the parts
    """
    if from_kit(cls):
        return
    _check_excuses(cls)
    _check_share(cls)
    hidden = [name for name in overridden(cls) if name not in excuses(cls)]
    if hidden:
        raise TypeError(f"{cls.__name__} overrides {', '.join(hidden)} of the conformance kit: {_way_out(hidden[0])}")
    marks = silencing_marks(getattr(cls, "pytestmark", []))
    if marks:
        raise TypeError(f"{cls.__name__} is marked {', '.join(marks)}, {LEAVE_OUT}")


LEAVE_OUT = (
    "which would leave out tests of the conformance kit without a sign: declare `excused` with a reason for each test,"
    " or skip the module with pytest.skip(..., allow_module_level=True) where the store is not there"
)


def silencing_marks(marks: Any) -> list[str]:
    """The names of those marks that change whether tests run, or how often."""
    listed = marks if isinstance(marks, (list, tuple)) else [marks]
    return [mark.name for mark in listed if mark.name in _SILENCING]


def _check_excuses(cls: type) -> None:
    tests = kit_tests(cls)
    idle = [name for name, reason in excuses(cls).items() if named_test(name) not in tests or not reason.strip()]
    if idle:
        raise TypeError(f"{cls.__name__} excuses {', '.join(idle)}: name tests of the kit, each with a reason")


def _check_share(cls: type) -> None:
    share = getattr(cls, "share", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not LEAST_SHARE <= share <= 1:
        raise TypeError(f"{cls.__name__} has share = {share!r}: a part of the examples, from {LEAST_SHARE} to 1")


def _way_out(name: str) -> str:
    if name.startswith("test"):
        return f"rename your test, or declare excused = {{{name!r}: 'the reason'}}"
    return f"rename yours; suites give the fixtures {', '.join(sorted(OPEN))} only"
