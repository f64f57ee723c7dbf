"""The options of the core and of the first-party backends, from the classes that hold them."""

from __future__ import annotations

from attrs import Attribute, fields

from docs._generate.markdown import code, described, table
from isthmus.config import Settings
from isthmus.config.sources import CoreOptions, variable
from isthmus.fallback.options import FallbackOptions
from isthmus.retries import RetryPolicy
from isthmus_dynamodb.options import Options as DynamoDBOptions
from isthmus_mongodb.options import DEFAULTS, DRIVER_OPTIONS
from isthmus_mongodb.options import Options as MongoDBOptions
from isthmus_sqlite.options import Options as SQLiteOptions

SECTIONS: dict[str, type] = {
    "retry": RetryPolicy, "fallback": FallbackOptions, "sqlite": SQLiteOptions, "dynamodb": DynamoDBOptions
}  # fmt: skip
_MONGODB = """\
In the table `[isthmus.mongodb]` of the file, for URLs `mongodb+srv:` in `[isthmus."mongodb+srv"]`. Isthmus's own are
`prefix` and, in the file and in code only, `mappings`: what
[collections of others](../how-to/use-mongodb.md#collections-that-exist-already) hold. The rest are PyMongo's options of
the same name, in any case; where no default stands here, PyMongo's holds.
"""


def options() -> dict[str, list[str]]:
    """The names of all options by section; the core's own are in the section ``""``."""
    own = [option.name for option in fields(CoreOptions) if option.name not in SECTIONS]
    declared = {name: [option.name for option in fields(kind)] for name, kind in SECTIONS.items()}
    return {"": own, **declared, "mongodb": ["prefix", *DRIVER_OPTIONS]}


def option_table() -> str:
    """A table for each section: the name in the file, the variable, the default and the meaning."""
    parts = [f"## Core\n\nIn the table `[isthmus]` of the file.\n\n{_table('', CoreOptions, Settings)}"]
    parts += [
        f"## `{name}`\n\nIn the table `[isthmus.{name}]` of the file.\n\n{_table(name, kind, kind)}"
        for name, kind in SECTIONS.items()
    ]
    return "\n".join([*parts, f"## `mongodb`\n\n{_MONGODB}\n{_mongodb_table()}"])


def _mongodb_table() -> str:
    prefix = (code("prefix"), code(variable("mongodb", "prefix")), "", described(MongoDBOptions)["prefix"])
    rows = [(code(name), code(variable("mongodb", name)), _default(DEFAULTS.get(name))) for name in DRIVER_OPTIONS]
    return table(["option", "variable", "default", "meaning"], [prefix, *((*row, "") for row in rows)])


def _table(section: str, kind: type, documented: type) -> str:
    meaning = described(documented)
    rows = [_row(section, option, meaning[option.name]) for option in fields(kind) if option.name in options()[section]]
    return table(["option", "variable", "default", "meaning"], rows)


def _row(section: str, option: Attribute[object], meaning: str) -> tuple[str, str, str, str]:
    return code(option.name), code(variable(section, option.name)), _default(option.default), meaning


def _default(value: object) -> str:
    return "" if value in (None, "", ()) else code(value)
