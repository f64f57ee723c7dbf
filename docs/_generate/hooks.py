"""The reference of hooks, from the specifications themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from docs._generate.markdown import from_docstring
from isthmus.hookspecs import PROJECT, HookSpecs

_SECTION = re.compile(r"# ---- (.+) ----")
_HOOK = re.compile(rf"def ({PROJECT}_\w+)\(")


def hooks() -> Iterator[tuple[str, str]]:
    """Section and name of each hook, in the order of the specifications."""
    section = ""
    for line in inspect.getsource(HookSpecs).splitlines():
        if found := _SECTION.search(line):
            section = found[1]
        elif found := _HOOK.search(line):
            yield section, found[1]


def hook_reference() -> str:
    """A heading for each section, and for each hook its signature, kind and docstring."""
    parts, current = [], ""
    for section, name in hooks():
        if section != current:
            parts.append(f"## {section.capitalize()}")
            current = section
        parts.append(_hook(name))
    return "\n\n".join(parts) + "\n"


def _hook(name: str) -> str:
    specification = getattr(HookSpecs, name)
    signature = str(inspect.signature(specification)).replace("(self, ", "(").replace("(self)", "()").replace("'", "")
    text = from_docstring(inspect.getdoc(specification) or "")
    return f"### `{name}`\n\n```text\n{name}{signature}\n```\n\n{text}\n\n*{_kind(name)}*"


def _kind(name: str) -> str:
    if getattr(HookSpecs, name).isthmus_spec["firstresult"]:
        return "The first plugin that returns something other than `None` decides; the others are not asked."
    return "Every active plugin that implements it is called."
