"""Document paths."""

from __future__ import annotations

import pytest

from isthmus.errors import InvalidArgument, InvalidPath
from isthmus.expressions import F, check_path, path_of, path_text, path_tree


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("a",), "a"),
        (("a", "b", 0, "c"), "a.b[0].c"),
        (("a.b", "c"), '"a.b".c'),
        (("a", 'say "x"'), 'a."say \\"x\\""'),
        (("_id",), "_id"),
    ],
)
def test_path_text(path: tuple[str | int, ...], text: str) -> None:
    """A path reads as people write it, and names that are no identifiers are quoted."""
    assert text == path_text(path)


def test_longest_path() -> None:
    """PTH-9: a path of 32 elements is allowed."""
    path = tuple("abcdefghijklmnopqrstuvwxyzABCDEF")

    assert path == check_path(path)


@pytest.mark.parametrize(
    "path",
    [(), "a", ("a",) * 33, (0, "a"), ("a", -1), ("a", True), ("a", 1.0), ("a", None), ("",), ("a", "x\0y")],
)
def test_bad_paths(path: object) -> None:
    """PTH-3, PTH-4, PTH-9, COL-3: bad lengths, elements and names are refused."""
    with pytest.raises(InvalidArgument):
        check_path(path)  # type: ignore[arg-type]  # bad input on purpose


def test_text_is_one_name() -> None:
    """PTH-1: dots in text have no meaning."""
    assert path_of("a.b") == ("a.b",)


@pytest.mark.parametrize(
    ("paths", "word"),
    [
        ([("a",), ("a",)], "twice"),
        ([("a",), ("a", "b")], "overlaps"),
        ([("a", "b", 0), ("a",)], "overlaps"),
        ([("a", "x"), ("a", 0)], "both as a map and as a list"),
        ([("a", 0, "x"), ("a", "y")], "both as a map and as a list"),
    ],
)
def test_overlapping_paths(paths: list[tuple[str | int, ...]], word: str) -> None:
    """UPD-11, PTH-9: paths that overlap, or mix names and indexes below one parent, are refused."""
    with pytest.raises(InvalidPath, match=word):
        path_tree(paths)


def test_sibling_paths() -> None:
    """Paths with a common parent merge."""
    tree = path_tree([("a", "b"), ("a", "c"), ("d", 0), ("d", 1)])

    assert [list(child.children) for child in tree.children.values()] == [["b", "c"], [0, 1]]


def test_path_of_field() -> None:
    """A field gives its path."""
    assert path_of(F["a.b"].c[3]) == ("a.b", "c", 3)
