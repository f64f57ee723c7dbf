"""Nobody removes a test of the kit by accident: overriding one is an error unless it is excused with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KIT = "isthmus_conformance."


def from_kit(cls: type) -> bool:
    """Whether the class belongs to the kit itself."""
    return cls.__module__.startswith(KIT)


def kit_tests(cls: type) -> dict[str, Any]:
    """The tests that a suite inherits from the kit, by name."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if from_kit(base):
            found.update({name: value for name, value in vars(base).items() if name.startswith("test")})
    return found


def overridden(cls: type) -> Iterator[str]:
    """Names of the kit's tests that mean something else, or nothing, in ``cls``."""
    for name, test in kit_tests(cls).items():
        if getattr(cls, name, None) is not test:
            yield name


def excuses(cls: type) -> Mapping[str, str]:
    """Tests that the suite leaves out, each with its reason."""
    given: Mapping[str, str] = getattr(cls, "excused", {})
    return given


def check_suite(cls: type) -> None:
    """Refuse a suite that hides tests of the kit, or excuses what does not exist.

    :raises TypeError: naming the tests
    """
    if from_kit(cls):
        return
    excused = excuses(cls)
    hidden = [name for name in overridden(cls) if name not in excused]
    if hidden:
        raise TypeError(
            f"{cls.__name__} overrides {', '.join(hidden)} of the conformance kit: rename your test, or declare"
            f" excused = {{{hidden[0]!r}: 'the reason'}}"
        )
    tests = kit_tests(cls)
    idle = [name for name, reason in excused.items() if name not in tests or not reason.strip()]
    if idle:
        raise TypeError(f"{cls.__name__} excuses {', '.join(idle)}: name tests of the kit, each with a reason")
