"""Document paths."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isthmus.errors import InvalidArgument, InvalidPath
from isthmus.expressions import F, changes, check_path, path_of, path_text, path_tree, projection


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


@pytest.mark.parametrize(
    "use",
    [
        lambda: F["__op"].x == 1, lambda: F.a == F["__op"], lambda: F["__op"].size() > 1,
        lambda: projection(["__op"]), lambda: changes(copy={"a": "__op"}), lambda: changes(set={"__op": 1}),
        lambda: changes(remove=F["__op"].x),
    ],
)  # fmt: skip
def test_what_belongs_to_isthmus_has_no_path(use: Callable[[], object]) -> None:
    """PTH-7: neither conditions nor projections nor changes may name it, as backends keep different things there."""
    with pytest.raises(InvalidPath, match="reserved"):
        use()


def test_reserved_names_of_others_can_be_read() -> None:
    """PTH-7: a table that another program made may hold them."""
    assert path_text(path_of(F["__typename"])) == "__typename"


def test_names_inside_of_maps_are_free() -> None:
    """PTH-7: they can't meet ours."""
    assert path_text(path_of(F.a["__op"])) == "a.__op"


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
