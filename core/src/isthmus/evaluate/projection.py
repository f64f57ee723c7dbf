"""What projections mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.evaluate.lookup import step
from isthmus.expressions import MISSING, Path, PathTree, path_tree
from isthmus.values import Item, Value


def project(item: Mapping[str, Value], paths: Iterable[Path]) -> Item:
    """The parts of the item at the paths, in their place; the values themselves are shared with ``item``.

    What is missing is left out, and so is a parent of which nothing is left. Chosen list elements come in list order.
    """
    chosen = _choose(dict(item), path_tree(paths))
    return {} if chosen is MISSING else chosen


def _choose(value: Any, tree: PathTree) -> Any:
    if not tree.children:
        return value
    # Names below one parent stand as they were asked for; indexes stand in list order.
    elements = sorted(tree.children, key=lambda element: element if isinstance(element, int) else 0)
    found = [(element, _choose(step(value, element), tree.children[element])) for element in elements]
    present = [(element, part) for element, part in found if part is not MISSING]
    if not present:
        return MISSING
    return dict(present) if isinstance(value, Mapping) else [part for _, part in present]
