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


def test_overriding_through_a_class_in_between_is_an_error() -> None:
    """A mixin that comes first hides tests as well."""
    mixin = type("Mixin", (), {"__module__": "author", NAME: None})
    with pytest.raises(TypeError, match=NAME):
        type("Author", (mixin, BackendSuite), {"__module__": "author"})


def test_an_excused_test_may_be_left_out() -> None:
    """With a reason."""
    made = _suite(excused={NAME: "the store has no end"}, **{NAME: None})
    assert getattr(made, NAME) is None


@pytest.mark.parametrize("excused", [{NAME: " "}, {"test_unknown": "reason"}], ids=["no reason", "no such test"])
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
