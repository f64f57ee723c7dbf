import re
import sys
import tomllib
from importlib.resources import files

import pytest

from isthmus_conformance import RULES, BackendSuite, rule
from isthmus_conformance.guard import kit_tests
from isthmus_conformance.rules import rules_of


def _named() -> set[str]:
    return {name for test in kit_tests(BackendSuite).values() for name in rules_of(test)}


def test_each_proven_rule_is_named_by_a_test_of_the_kit() -> None:
    """A rule without a test has to say which issue brings it."""
    assert [name for name, entry in RULES.items() if entry.proven and name not in _named()] == []


def test_rules_that_are_not_yet_proven_are_not_named() -> None:
    """Once a test proves a rule, its status changes with it."""
    assert [name for name in RULES if not RULES[name].proven and name in _named()] == []


def test_what_is_not_yet_proven_names_what_brings_it() -> None:
    """An issue by its number, or the reason why it is not offered; the list is printed (`pytest -rP`)."""
    waiting = [entry for entry in RULES.values() if not entry.proven]
    sys.stdout.writelines(f"{entry.id}: {entry.status}\n" for entry in waiting)
    assert waiting
    form = re.compile(r"not yet: issue \d+: \S.*|not offered: \S.{15,}")
    assert [entry.id for entry in waiting if not form.fullmatch(entry.status)] == []


def test_entries_of_the_contract_have_known_fields() -> None:
    """A misspelt field would silently count as proven."""
    areas = tomllib.loads(files("isthmus_conformance").joinpath("contract.toml").read_text(encoding="utf-8"))
    fields = {
        frozenset(entry) for entries in areas.values() for entry in entries.values() if not isinstance(entry, str)
    }
    assert fields == {
        frozenset({"text", "why"}),
        frozenset({"text", "not_offered"}),
        frozenset({"text", "not_offered", "theme"}),
    }


def test_reasons_for_other_designs_are_sentences() -> None:
    """They stand in the contract beside the rule."""
    reasons = [entry.why for entry in RULES.values() if entry.why]
    assert len(reasons) >= 8
    assert [why for why in reasons if not why.endswith(".") or len(why) < 40] == []


def test_every_test_of_the_kit_names_a_rule_and_says_what_it_states() -> None:
    """So that a failure reads as 'breaks UPD-5'."""
    tests = kit_tests(BackendSuite)
    assert len(tests) > 100
    assert [name for name, test in tests.items() if not rules_of(test) or not test.__doc__] == []


def test_numbers_of_an_area_run_without_gaps() -> None:
    """A number is never reused, so none is missing either."""
    areas: dict[str, list[int]] = {}
    for name in RULES:
        area, _, number = name.partition("-")
        areas.setdefault(area, []).append(int(number))
    assert {area: numbers for area, numbers in areas.items() if numbers != list(range(1, len(numbers) + 1))} == {}


def test_texts_are_sentences() -> None:
    """One or two precise ones."""
    assert [name for name, entry in RULES.items() if not entry.text.endswith(".") or len(entry.text) < 20] == []


@pytest.mark.parametrize("ids", [(), ("KEY-0",), ("KEY-1", "XYZ-1"), ("key-1",)])
def test_an_unknown_rule_is_an_error_where_it_is_named(ids: tuple[str, ...]) -> None:
    """At import, not at run time."""
    with pytest.raises(ValueError, match="unknown rules"):
        rule(*ids)


def test_a_test_may_name_rules_in_several_marks() -> None:
    """They add up."""

    @rule("KEY-1")
    @rule("KEY-2", "KEY-3")
    def test() -> None: ...

    assert rules_of(test) == ("KEY-2", "KEY-3", "KEY-1")
