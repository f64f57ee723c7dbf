"""Tables as the command line declares them: by options, or by a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus.schema import Index, Key, Table

KEY_HELP = "NAME or NAME:number or NAME:binary"


def declared_table(
    name: str,
    *,
    partition_key: str | None,
    sort_key: str | None = None,
    indexes: tuple[str, ...] = (),
    ttl: str | None = None,
    versioned: bool = False,
    timestamps: bool = False,
) -> Table:
    """A table from command-line options.

    :raises InvalidArgument: an option has another form, or there is no partition key
    """
    if partition_key is None:
        raise InvalidArgument(f"table {name!r} needs --partition-key (or --definition)")
    return Table(
        name,
        _key(partition_key),
        None if sort_key is None else _key(sort_key),
        [_index(text) for text in indexes],
        ttl,
        "version" if versioned else None,
        *(("created_at", "updated_at") if timestamps else (None, None)),
    )


def read_definition(path: str, name: str) -> Table:
    """A table from a file that ``tables describe --json`` wrote, under a name of its own.

    :raises ConfigurationError: the file can't be read or holds something else
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        data = json.loads(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise ConfigurationError(f"the table definition {path} can't be read: {reason}") from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} holds no table definition: write one with `isthmus tables describe --json`")
    return Table.from_dict({**data, "name": name})


def _key(text: str) -> Key:
    name, _, kind = text.partition(":")
    return Key.of((name, kind or "string"))


def _index(text: str) -> Index:
    name, equals, keys = text.partition("=")
    parts = keys.split(",")
    if not equals or len(parts) > 2 or not all(parts):
        raise InvalidArgument(
            f"--index {text!r} has another form: write NAME=PARTITION_KEY or NAME=PARTITION_KEY,SORT_KEY"
        )
    sort_key = _key(parts[1]) if len(parts) > 1 else None
    return Index(name, _key(parts[0]), sort_key)
