from typing import Any

import pytest

from isthmus_conformance import BackendSuite
from isthmus_conformance.guard import check_suite

NAME = "test_a_closed_database_refuses_table_management"


def _suite(**members: Any) -> type:
    return type("Author", (BackendSuite,), {"__module__": "author", **members})


def test_a_suite_that_only_adds_is_fine() -> None:
    """Fixtures and tests of one's own are welcome."""
    made = _suite(source=lambda _self: "memory://", test_of_my_own=lambda _self: None)
    assert issubclass(made, BackendSuite)


@pytest.mark.parametrize("replacement", [None, lambda _self: None, 5], ids=["None", "function", "number"])
def test_overriding_a_test_is_an_error(replacement: Any) -> None:
    """Also by something that is no test; the message says how to excuse it."""
    with pytest.raises(TypeError, match=f"overrides {NAME}.*excused"):
        _suite(**{NAME: replacement})


@pytest.mark.parametrize(
    "name",
    ["mode", "database", "open_database", "make_table", "table", "expiring", "_skip_where_unsupported", "_numbers"],
)
def test_overriding_a_fixture_or_a_helper_is_an_error(name: str) -> None:
    """They decide what the tests see; the message names the fixtures that suites may give."""
    with pytest.raises(TypeError, match=f"overrides {name}.*clock, foreign, layers, source, stack"):
        _suite(**{name: pytest.fixture(lambda _self: pytest.skip("nothing"))})


@pytest.mark.parametrize("name", ["source", "clock", "stack"])
def test_some_fixtures_are_meant_to_be_given(name: str) -> None:
    """What is tested, and on what clock."""
    given = pytest.fixture(lambda _self: None)
    assert name in vars(_suite(**{name: given}))


@pytest.mark.parametrize(
    "mark",
    [
        pytest.mark.skip,
        pytest.mark.skip(reason="slow"),
        pytest.mark.skipif(True, reason="slow"),
        pytest.mark.xfail,
        pytest.mark.parametrize("mode", ["sync"]),
    ],
    ids=["skip", "skip with a reason", "skipif", "xfail", "parametrize"],
)
@pytest.mark.parametrize("listed", [True, False])
def test_marks_that_silence_a_suite_are_an_error(mark: Any, listed: bool) -> None:
    """Written in its body, or put on the class."""
    with pytest.raises(TypeError, match=r"Author is marked .*excused"):
        _suite(pytestmark=[mark] if listed else mark)
    with pytest.raises(TypeError, match=r"Author is marked .*excused"):
        check_suite(mark(_suite()))


def test_other_marks_are_fine() -> None:
    """A suite may be slow."""
    check_suite(pytest.mark.slow(_suite()))


def test_overriding_through_a_class_in_between_is_an_error() -> None:
    """A mixin that comes first hides tests as well."""
    mixin = type("Mixin", (), {"__module__": "author", NAME: None})
    with pytest.raises(TypeError, match=NAME):
        type("Author", (mixin, BackendSuite), {"__module__": "author"})


def test_an_excused_test_may_be_left_out() -> None:
    """With a reason."""
    made = _suite(excused={NAME: "the store has no end"}, **{NAME: None})
    assert getattr(made, NAME) is None


def test_excusing_a_case_does_not_let_the_test_be_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other cases have to run."""
    made = _suite(excused={f"{NAME}[case]": "the store has no end"})
    monkeypatch.setattr(made, NAME, None)
    with pytest.raises(TypeError, match=f"overrides {NAME}"):
        check_suite(made)


@pytest.mark.parametrize(
    "excused",
    [{NAME: " "}, {"test_unknown": "reason"}, {"test_unknown[case]": "reason"}, {f"{NAME}[case": "reason"}],
    ids=["no reason", "no such test", "no such test with cases", "half a case"],
)
def test_an_excuse_names_a_test_and_a_reason(excused: dict[str, str]) -> None:
    """Anything else is a slip."""
    with pytest.raises(TypeError, match="excuses"):
        _suite(excused=excused)


def test_a_test_that_is_removed_later_is_noticed() -> None:
    """The check runs again at collection."""
    made = _suite()
    setattr(made, NAME, None)
    with pytest.raises(TypeError, match=NAME):
        check_suite(made)


@pytest.mark.parametrize("share", [0.1, 0.25, 1])
def test_a_suite_may_run_a_part_of_the_examples(share: float) -> None:
    """For the second variant of a store."""
    assert vars(_suite(share=share))["share"] == share


@pytest.mark.parametrize("share", [0, 0.09, 1.5, -1, True, "all", float("nan"), None])
def test_a_suite_may_not_run_hardly_any_examples(share: Any) -> None:
    """Nor more than all, which a profile is for."""
    with pytest.raises(TypeError, match=r"Author has share = .*from 0\.1 to 1"):
        _suite(share=share)
