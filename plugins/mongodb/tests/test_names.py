"""Attribute names in their stored form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import InvalidArgument, InvalidStoredValue
from isthmus_mongodb.names import dotted, escape, plain, unescape

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1) | st.text(
    "%$._id25E", min_size=1
)


@given(NAMES)
def test_names_come_back(name: str) -> None:
    """Every name survives, those that look escaped too."""
    assert unescape(escape(name)) == name


@given(NAMES)
def test_stored_names_mean_nothing_to_the_server(name: str) -> None:
    """No path, no operator, no primary key."""
    stored = escape(name)
    assert (set("$.\0") & set(stored), stored == "_id") == (set(), False)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a", "a"),
        ("a.b", "a%2Eb"),
        ("$set", "%24set"),
        ("%", "%25"),
        ("%SS", "%25SS"),
        ("_id", "%5Fid"),
        ("user_id", "user_id"),
        ("é\U0001f600", "é\U0001f600"),
    ],
)
def test_escapes(name: str, stored: str) -> None:
    """The forms that are stored, which can't change any more."""
    assert escape(name) == stored


def test_nul_is_refused_again() -> None:
    """A name with NUL inside a plan would end the server, so it never gets that far."""
    with pytest.raises(InvalidArgument, match="NUL"):
        escape("a\0b")


@pytest.mark.parametrize("stored", ["%", "%2", "a%XXb", "%2e"])
def test_percents_of_others_are_refused(stored: str) -> None:
    """What Isthmus did not write has no name."""
    with pytest.raises(InvalidStoredValue, match=f"'{stored}' has a % that Isthmus did not write"):
        unescape(stored)


@pytest.mark.parametrize(("names", "expected"), [(["a", "user_id"], True), (["a", "_id"], False), (["a.b"], False)])
def test_plain(names: list[str], expected: bool) -> None:
    """Names that are stored as they are."""
    assert plain(names) == expected


def test_dotted() -> None:
    """Names and indexes of a path, joined by dots of our own."""
    assert dotted(("a.b", 0, "c")) == "a%2Eb.0.c"
