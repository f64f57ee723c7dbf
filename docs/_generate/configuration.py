"""The options of the core and of the first-party backends, from the classes that hold them."""

from __future__ import annotations

from attrs import Attribute, fields

from docs._generate.markdown import code, described, table
from isthmus.config import Settings
from isthmus.config.sources import CoreOptions, variable
from isthmus.retries import RetryPolicy
from isthmus_sqlite.options import Options

SECTIONS: dict[str, type] = {"retry": RetryPolicy, "sqlite": Options}


def options() -> dict[str, list[str]]:
    """The names of all options by section; the core's own are in the section ``""``."""
    own = [option.name for option in fields(CoreOptions) if option.name not in SECTIONS]
    return {"": own, **{name: [option.name for option in fields(kind)] for name, kind in SECTIONS.items()}}


def option_table() -> str:
    """A table for each section: the name in the file, the variable, the default and the meaning."""
    parts = [f"## Core\n\nIn the table `[isthmus]` of the file.\n\n{_table('', CoreOptions, Settings)}"]
    parts += [
        f"## `{name}`\n\nIn the table `[isthmus.{name}]` of the file.\n\n{_table(name, kind, kind)}"
        for name, kind in SECTIONS.items()
    ]
    return "\n".join(parts)


def _table(section: str, kind: type, documented: type) -> str:
    meaning = described(documented)
    rows = [_row(section, option, meaning[option.name]) for option in fields(kind) if option.name in options()[section]]
    return table(["option", "variable", "default", "meaning"], rows)


def _row(section: str, option: Attribute[object], meaning: str) -> tuple[str, str, str, str]:
    default = "" if option.default in (None, "", ()) else code(option.default)
    return code(option.name), code(variable(section, option.name)), default, meaning
