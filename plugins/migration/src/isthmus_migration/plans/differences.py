"""How two JSON documents differ, by path: two plans say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

_MISSING: Final = object()
_SHOWN: Final = 60


def json_differences(before: Any, after: Any) -> list[str]:
    """A sentence for each path at which two documents differ, such as ``tables[0].created: true became false``."""
    return list(_values(before, after, ""))


def _values(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({**before, **after}):
            place = f"{path}.{name}" if path else name
            yield from _values(before.get(name, _MISSING), after.get(name, _MISSING), place)
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            yield from _values(_at(before, number), _at(after, number), f"{path}[{number}]")
    elif type(before) is not type(after) or before != after:
        yield f"{path or 'the document'}: {_text(before)} became {_text(after)}"


def _at(values: list[Any], number: int) -> Any:
    return values[number] if number < len(values) else _MISSING


def _text(value: Any) -> str:
    text = "nothing" if value is _MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
