"""The public names, one Sphinx directive for each."""

from __future__ import annotations

import inspect
import re
from enum import Enum
from types import ModuleType
from typing import cast

from attrs import AttrsInstance, Factory, fields
from sphinx.util.typing import stringify_annotation

import isthmus
import isthmus_migration
from isthmus.dal.async_holding import AsyncHolding
from isthmus.dal.holding import Holding
from isthmus.repository.base import RepositoryBase
from isthmus.repository.query_spec import QuerySpec
from isthmus.selection_spec import SelectionSpec
from isthmus.values import Item, Value

# These are no classes or functions, so they have no docstring that autodoc could show.
TEXTS = {
    "F": 'The root of all paths: ``F.age``, ``F.address.city``, ``F.tags[0]``, ``F["a.b"]``.',
    "Flow": "What a layer's ``flow`` is: a generator of operations and ``Blocking`` that returns a result.",
    "Support": "The level of a capability: ``Full``, ``Versioned``, ``Emulated`` or ``Unsupported``.",
    "hookimpl": "Marks a plugin's method as the implementation of the hook of the same name.",
}
# What the surface of a selection needs itself.
INTERNAL = (
    "first_page", "in_memory_sort", "in_segments", "matches_nothing", "next_count", "next_page", "operation", "plan",
    "segments_at_once", "whole",
)  # fmt: skip


def public_names() -> str:
    """A directive for each name in ``isthmus.__all__``."""
    return "```{eval-rst}\n" + "\n".join(_directive(name) for name in isthmus.__all__) + "```\n"


def migration_names() -> str:
    """A directive for each name in ``isthmus_migration.__all__``."""
    return "```{eval-rst}\n" + "\n".join(_of(isthmus_migration, name) for name in isthmus_migration.__all__) + "```\n"


def _directive(name: str) -> str:
    if name in TEXTS:
        return f".. py:data:: isthmus.{name}\n\n   {TEXTS[name]}\n"
    return _of(isthmus, name)


def _of(module: ModuleType, name: str) -> str:
    thing, path = getattr(module, name), f"{module.__name__}.{name}"
    if inspect.isclass(thing):
        return "\n".join([f".. autoclass:: {path}", *(f"   :{option}" for option in _options(thing)), ""])
    return f".. autofunction:: {path}\n"


def _options(thing: type) -> list[str]:
    options = ["members:"]
    if issubclass(thing, Enum):
        options.append("undoc-members:")
    elif issubclass(thing, (RepositoryBase, QuerySpec, Holding, AsyncHolding)):
        options.append("inherited-members:")
    elif issubclass(thing, SelectionSpec):
        options += ["inherited-members:", f"exclude-members: {', '.join(INTERNAL)}"]
    elif thing.__base__ is not object:
        options.append("show-inheritance:")
    return options


def signature(thing: object, text: str) -> str:
    """A signature for people: aliases by their names, and fields' defaults in the place of attrs' own variables."""

    def default(found: re.Match[str]) -> str:
        value = getattr(fields(cast("type[AttrsInstance]", thing)), found[1]).default
        return "..." if isinstance(value, Factory) else repr(value)  # type: ignore[arg-type]  # a class at run time

    return aliased(re.sub(r"attr_dict\['(\w+)'\]\.default", default, text.replace("NOTHING", "...")))


def aliased(text: str) -> str:
    """Annotations with the names of values and items, which autodoc writes out."""
    for name, alias in (("Item", Item), ("Value", Value)):
        text = text.replace(stringify_annotation(alias, "smart"), name)
    return text
