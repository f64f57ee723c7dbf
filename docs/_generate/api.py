"""The public names, one Sphinx directive for each."""

from __future__ import annotations

import inspect

import isthmus

# The builder F answers every name with a path, so autodoc can't look inside.
_TEXTS = {"F": "The root of all paths: ``F.age``, ``F.address.city``, ``F.tags[0]``, ``F[\"a.b\"]``."}
_UNIONS = {"Flow", "Support"}


def public_names() -> str:
    """A directive for each name in ``isthmus.__all__``."""
    return "```{eval-rst}\n" + "\n".join(_directive(name) for name in isthmus.__all__) + "```\n"


def _directive(name: str) -> str:
    thing = getattr(isthmus, name)
    if name in _TEXTS:
        return f".. py:data:: isthmus.{name}\n\n   {_TEXTS[name]}\n"
    if inspect.isclass(thing):
        return f".. autoclass:: isthmus.{name}\n   :members:\n   :show-inheritance:\n"
    return f".. auto{'function' if inspect.isfunction(thing) else 'data'}:: isthmus.{name}\n"
