"""Excuses: the tests, and the single cases of tests, that a suite leaves out, each with its reason.

``"test_name"`` leaves out a whole test, ``"test_name[case]"`` one of its parameters in both modes, and
``"test_name[sync-case]"`` in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def excuses(cls: type) -> Mapping[str, str]:
    """What the suite leaves out, each with its reason."""
    given: Mapping[str, str] = getattr(cls, "excused", {})
    return given


def named_test(excuse: str) -> str:
    """The test that an excuse is about, with or without a case."""
    return excuse.partition("[")[0] if excuse.endswith("]") else excuse


def names_of(item: pytest.Item) -> tuple[str, ...]:
    """What an excuse may call a test of a suite: the test, its case, its case in one mode."""
    test: str = getattr(item, "originalname", item.name)
    case: Any = getattr(item, "callspec", None)
    if case is None:
        return (test,)
    mode = case.params.get("mode", "")
    return test, f"{test}[{case.id}]", f"{test}[{case.id.removeprefix(f'{mode}-')}]"


def reason_for(item: pytest.Item, cls: type) -> str | None:
    """Why the suite leaves out this test, or None."""
    given = excuses(cls)
    return next((given[name] for name in names_of(item) if name in given), None)


def idle_cases(cls: type, test: str, items: Iterable[pytest.Item]) -> list[str]:
    """Excuses of cases that a test does not have, whose every case is among ``items``."""
    known = {name for item in items for name in names_of(item)}
    return [excuse for excuse in excuses(cls) if named_test(excuse) == test and excuse not in known]
