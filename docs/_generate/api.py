"""The public names, one Sphinx directive for each."""

from __future__ import annotations

import inspect

import isthmus

# These are no classes or functions, so they have no docstring that autodoc could show.
TEXTS = {
    "F": 'The root of all paths: ``F.age``, ``F.address.city``, ``F.tags[0]``, ``F["a.b"]``.',
    "Flow": "What a layer's ``flow`` is: a generator of operations and ``Blocking`` that returns a result.",
    "Support": "The level of a capability: ``Full``, ``Versioned``, ``Emulated`` or ``Unsupported``.",
    "hookimpl": "Marks a plugin's method as the implementation of the hook of the same name.",
}


def public_names() -> str:
    """A directive for each name in ``isthmus.__all__``."""
    return "```{eval-rst}\n" + "\n".join(_directive(name) for name in isthmus.__all__) + "```\n"


def _directive(name: str) -> str:
    thing = getattr(isthmus, name)
    if name in TEXTS:
        return f".. py:data:: isthmus.{name}\n\n   {TEXTS[name]}\n"
    if inspect.isclass(thing):
        return f".. autoclass:: isthmus.{name}\n   :members:\n   :show-inheritance:\n"
    return f".. auto{'function' if inspect.isfunction(thing) else 'data'}:: isthmus.{name}\n"
