"""The pytest plugin of the conformance kit: markers, options, the guard at collection, and the report.

Loaded in every run where the kit is installed, so it imports nothing heavy before a suite is used.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.excusing import idle_cases, reason_for
from isthmus_conformance.guard import LEAVE_OUT, check_suite, from_kit, kit_tests, silencing_marks

# The fixtures for programs' own tests.
pytest_plugins = ("isthmus_conformance.testing.plugin",)

PROPERTY = "isthmus_conformance"
EXCUSED = "excused: "
UNSUPPORTED = "unsupported: "
_PROFILES = ("dev", "ci", "nightly")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options."""
    group = parser.getgroup("isthmus", "conformance kit of Isthmus")
    group.addoption(
        "--isthmus-profile", choices=_PROFILES, help="how many examples to try; default: $ISTHMUS_CONFORMANCE_PROFILE"
    )
    group.addoption("--isthmus-report", metavar="PATH", help="write what each rule's tests did to a JSON file")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and the report where one is asked for."""
    config.addinivalue_line("markers", "rule(*ids): the rules of the contract that a test proves")
    config.addinivalue_line("markers", "requires_capability(*capabilities): skipped where one is unsupported")
    if config.option.isthmus_profile:
        os.environ["ISTHMUS_CONFORMANCE_PROFILE"] = config.option.isthmus_profile
    config.pluginmanager.register(Collector(config.option.isthmus_report), "isthmus-conformance-report")


@pytest.hookimpl(trylast=True)  # after whatever else adds marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse suites that lost tests after their class was made, and skip what is excused."""
    suites = [item for item in items if _is_suite(getattr(item, "cls", None))]
    try:
        for cls in {_class(item) for item in suites}:
            check_suite(cls)
        for item in suites:
            _check_marks(item)
    except TypeError as error:
        raise pytest.UsageError(str(error)) from error
    for item in suites:
        cls, name = _class(item), getattr(item, "originalname", item.name)
        reason = reason_for(item, cls)
        if reason is not None and getattr(cls, name) is kit_tests(cls)[name]:
            item.add_marker(pytest.mark.skip(reason=f"{EXCUSED}{reason}"))


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str) -> Any:
    """Refuse excuses of cases that a test does not have; only here are all of its cases known."""
    found = yield
    cls = getattr(collector, "cls", None)
    if _is_suite(cls) and isinstance(found, list):
        idle = idle_cases(collector.cls, name, found)
        if idle:
            raise collector.CollectError(f"{collector.name} excuses {', '.join(idle)}: there is no such case")
    return found


def _check_marks(item: pytest.Item) -> None:
    """Refuse marks that skip a test of the kit from outside: from its module, or added at collection.

    :raises TypeError: naming the marks
    """
    cls, name = _class(item), getattr(item, "originalname", item.name)
    if from_kit(cls) or name not in kit_tests(cls):
        return
    own = {
        id(mark) for mark in getattr(kit_tests(cls)[name], "pytestmark", [])
    }  # marks hold items, which compare oddly
    marks = silencing_marks([mark for mark in item.iter_markers() if id(mark) not in own])
    if marks:
        raise TypeError(f"{item.nodeid} is marked {', '.join(marks)}, {LEAVE_OUT}")


def _class(item: pytest.Item) -> type:
    cls: type = item.cls  # type: ignore[attr-defined]  # suites are classes, so their items have one
    return cls


def _is_suite(cls: Any) -> bool:
    return cls is not None and any(
        base.__name__ == "Suite" and base.__module__ == "isthmus_conformance.base" for base in cls.__mro__
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Attach the rules and the number of examples to the test's report."""
    rules = [name for mark in item.iter_markers("rule") for name in mark.args]
    if rules:
        _record(item, rules)
    return (yield)


def _record(item: pytest.Item, rules: list[str]) -> None:
    record = next((value for name, value in item.user_properties if name == PROPERTY), None)
    if not isinstance(record, dict):
        record = {}
        item.user_properties.append((PROPERTY, record))
    record["rules"] = rules
    record["examples"] = record.get("examples", 0) + EXAMPLES.take()


class Collector:
    """Gathers the reports of all tests; with pytest-xdist only the controller's one sees them."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._entries: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        record = next((value for name, value in report.user_properties if name == PROPERTY), None)
        if not isinstance(record, dict) or not record.get("rules"):
            return
        entry = self._entries.setdefault(report.nodeid, {"test": report.nodeid, "status": "passed", "reason": ""})
        entry.update(record)
        if report.failed:
            entry["status"] = "failed"
        elif report.skipped:
            entry.update(_skipped(report))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what was excused, and write the report."""
        excused = [entry for entry in self._entries.values() if entry["status"] == "excused"]
        if excused:
            terminalreporter.section("conformance tests that were excused")
            for entry in excused:
                terminalreporter.write_line(f"{entry['test']}: {entry['reason']}")
        if self._path:
            from isthmus_conformance.report import Report

            Report.of(self._entries.values()).save(self._path)
            terminalreporter.write_line(f"conformance report: {self._path}")


def _skipped(report: pytest.TestReport) -> dict[str, str]:
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    for prefix in (EXCUSED, UNSUPPORTED):
        if reason.startswith(prefix):
            return {"status": prefix.removesuffix(": "), "reason": reason.removeprefix(prefix)}
    return {"status": "skipped", "reason": reason}
