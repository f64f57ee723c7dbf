"""The pytest plugin of a mutant's run: the tests of its rules come first, and the first failure is written down."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

# Not with the prefix ISTHMUS_: the configuration refuses variables of that name that it does not know.
MUTANT = "CONFORMANCE_MUTANT"
VERDICT = "CONFORMANCE_VERDICT"


def pytest_configure() -> None:
    """Look for a failure only: nobody reads the smallest example of a mutant, and its indexes never lag."""
    from hypothesis import Phase, settings

    from isthmus_conformance import eventually

    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutants")
    eventually.PATIENCE = 0.2


def rules_named(item: pytest.Item) -> list[str]:
    """The rules that a test names."""
    return [name for mark in item.iter_markers("rule") for name in mark.args]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the sync half, and put the tests that name more of the mutant's rules, and fewer others, earlier."""
    from isthmus_conformance.mutants.registry import find

    wanted = set(find(os.environ[MUTANT]).rules)
    kept = [item for item in items if getattr(item, "callspec", None) is None or _sync(item)]
    kept.sort(key=lambda item: _rank(rules_named(item), wanted))
    config.hook.pytest_deselected(items=list(set(items).difference(kept)))
    items[:] = kept


def _rank(named: Sequence[str], wanted: set[str]) -> tuple[int, int]:
    return -len(wanted.intersection(named)), len(named)


def _sync(item: Any) -> bool:
    return bool(item.callspec.params.get("mode") != "async")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Write down the first failing test, its rules and its error."""
    report = yield
    path = Path(os.environ[VERDICT])
    if report.failed and not path.exists():
        verdict = {"test": item.name, "rules": rules_named(item) if report.when == "call" else []}
        path.write_text(json.dumps(verdict), encoding="utf-8")
    return report
