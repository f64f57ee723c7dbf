"""Document paths: a tuple of attribute names (``str``) and list indexes (``int``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from keyword import iskeyword
from typing import Final, Literal

from isthmus.errors import InvalidPath
from isthmus.values.names import HIDDEN_NAMES, HIDDEN_PREFIX, check_name

Path = tuple[str | int, ...]

MAX_PATH_ELEMENTS = 32


class Missing(Enum):
    """The type of :data:`MISSING`, which is neither null nor any other value."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Literal[Missing.MISSING]] = Missing.MISSING


def is_plain_name(name: str) -> bool:
    """Whether ``name`` can be written after a dot: a Python identifier without a leading underscore."""
    return name.isidentifier() and not iskeyword(name) and not name.startswith("_")


def path_text(path: Sequence[str | int]) -> str:
    """The path for people: ``address.lines[0]``, with names that are no identifiers quoted: ``"a.b".c``."""
    text = ""
    for element in path:
        if isinstance(element, int):
            text += f"[{element}]"
        else:
            name = element if element.isidentifier() else '"' + element.replace('"', '\\"') + '"'
            text += f".{name}" if text else name
    return text


def check_path(path: Sequence[str | int]) -> Path:
    """Return ``path`` as a tuple when it is a valid document path.

    :raises InvalidPath: it is empty, longer than 32 elements, starts with an index or a name that Isthmus
        hides, or has a bad name or index
    """
    if type(path) is tuple and len(path) == 1 and type(path[0]) is str and path in _KNOWN:
        return path
    if not path or isinstance(path, str):
        raise InvalidPath("A path is a non-empty tuple of names and indexes; write (name,) for a single attribute.")
    if len(path) > MAX_PATH_ELEMENTS:
        raise InvalidPath(f"A path has {len(path)} elements; at most {MAX_PATH_ELEMENTS} are allowed.")
    if not isinstance(path[0], str):
        raise InvalidPath("A path starts with an attribute name, not with a list index.")
    if path[0] in HIDDEN_NAMES or path[0].startswith(HIDDEN_PREFIX):
        raise InvalidPath(f"{path[0]} is reserved for Isthmus, which keeps it out of sight; choose another name.")
    for element in path:
        check_element(element)
    checked = tuple(path)
    if len(checked) == 1 and len(path[0]) <= _SHORT and len(_KNOWN) < _MOST_KNOWN:
        _KNOWN.add((str(path[0]),))
    return checked


# The same single names come again and again, so short valid ones are remembered, up to a bound.
_KNOWN: Final[set[Path]] = set()
_MOST_KNOWN: Final = 4_096
_SHORT: Final = 60


def check_element(element: object) -> None:
    """Refuse what is neither a valid name nor an index.

    :raises InvalidPath: it is of another type, or a negative index
    :raises InvalidArgument: the name itself is not allowed
    """
    if isinstance(element, str):
        check_name(element)
    elif isinstance(element, bool) or not isinstance(element, int):
        raise InvalidPath(f"A path element is a name (str) or an index (int), not {type(element).__name__}.")
    elif element < 0:
        raise InvalidPath(f"List index {element} is negative; indexes count from 0 at the start of the list.")


class PathTree:
    """Paths merged by their common parents; refuses those that overlap.

    ``children`` maps an element to the tree below it. A leaf has no children and carries ``payload``, which is the
    value given to :meth:`insert`.
    """

    __slots__ = ("children", "payload")

    def __init__(self) -> None:
        self.children: dict[str | int, PathTree] = {}
        self.payload: object = None

    def insert(self, path: Path, payload: object = None) -> None:
        """Add a leaf.

        :raises InvalidPath: the path equals, contains or lies below another one, or uses a name where another path
            uses an index
        """
        tree = self
        for depth, element in enumerate(path):
            created = element not in tree.children
            if created:
                tree._check_siblings(path, depth)
            child = tree.children.setdefault(element, PathTree())
            _check_overlap(path, depth, child, created)
            tree = child
        tree.payload = payload

    def _check_siblings(self, path: Path, depth: int) -> None:
        sibling = next(iter(self.children), path[depth])
        if isinstance(sibling, str) != isinstance(path[depth], str):
            parent = path_text(path[:depth])
            raise InvalidPath(f"{parent} is used both as a map and as a list; use either names or indexes below it.")


def _check_overlap(path: Path, depth: int, child: PathTree, created: bool) -> None:
    if created:
        return
    last = depth == len(path) - 1
    if last and not child.children:
        raise InvalidPath(f"{path_text(path)} is given twice; name each path once.")
    if last or not child.children:
        raise InvalidPath(f"{path_text(path)} overlaps with another path, at {path_text(path[: depth + 1])}; use one.")


def path_tree(paths: Iterable[Path]) -> PathTree:
    """Merge ``paths``.

    :raises InvalidPath: two of them overlap
    """
    tree = PathTree()
    for path in paths:
        tree.insert(path)
    return tree
