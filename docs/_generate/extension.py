"""The Sphinx extension that puts generated text in the place of ``<!-- generate: name -->``."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

from docs._generate import GENERATORS
from docs._generate.api import aliased, signature

MARKER = re.compile(r"^<!-- generate: ([a-z-]+) -->$", re.MULTILINE)


def expanded(text: str) -> str:
    """A page with its generated parts.

    :raises KeyError: a page asks for something that nothing generates
    """
    return MARKER.sub(lambda found: GENERATORS[found[1]](), text)


def _on_source_read(_app: Sphinx, _page: str, content: list[str]) -> None:
    content[0] = expanded(content[0])


def _on_signature(
    _app: Sphinx, _kind: str, _name: str, thing: object, _options: object, arguments: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    return (None if arguments is None else signature(thing, arguments)), returns and aliased(returns)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _on_source_read)
    app.connect("autodoc-process-signature", _on_signature)
    return {"parallel_read_safe": True}
