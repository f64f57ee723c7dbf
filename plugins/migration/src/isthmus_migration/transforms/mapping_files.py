"""Mapping files: TOML with a table ``[tables.<name>]`` for each table that is transformed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus_migration.transforms.declaration import Transform
from isthmus_migration.transforms.parts import check_fields


def read_mapping_file(path: Path) -> dict[str, Transform]:
    """The transforms of a file, by the source's tables.

    :raises ConfigurationError: the file can't be read, or ``problems`` names all that is wrong in it
    """
    try:
        return read_mapping(path.read_text(encoding="utf-8"), where=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the mapping file {path} can't be read: {error}") from error


def read_mapping(text: str, *, where: str = "mapping") -> dict[str, Transform]:
    """The transforms of TOML text, by the source's tables.

    :param where: what to call it in messages
    :raises ConfigurationError: it is no TOML, or ``problems`` names all that is wrong in it
    """
    try:
        # Numbers keep their digits.
        data = tomllib.loads(text, parse_float=Decimal)
        check_fields(data, ["tables"])
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is no TOML: {error}") from None
    except InvalidArgument as error:
        raise ConfigurationError(f"{where}: {error.message}") from None
    tables = data.get("tables", {})
    if not isinstance(tables, Mapping):
        raise ConfigurationError(f"{where}: tables has a table for each table of the source, [tables.cities] say")
    return _transforms(tables, where)


def _transforms(tables: Mapping[str, object], where: str) -> dict[str, Transform]:
    found: dict[str, Transform] = {}
    problems: list[str] = []
    for name, data in tables.items():
        try:
            found[name] = Transform.from_dict(data, where=f"{where}: tables.{name}")
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError("; ".join(problems), problems=problems)
    return found
