"""From texts and TOML values to the types that a settings class declares. No message ever holds a value."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from attrs import has
from cattrs import Converter

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LISTS = (tuple, list, set, frozenset, Sequence)
_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "nothing",
}


def convert(value: Any, kind: Any) -> Any:
    """``value`` as ``kind``; texts are read as numbers, truth values and comma-separated lists where those are wanted.

    :raises ValueError: it is something else; the message says what is expected
    """
    try:
        return _CONVERTER.structure(value, kind)
    except Exception:  # cattrs raises many kinds, and their messages hold the value
        raise ValueError(f"expects {expected(kind)}, not {_what(value)}") from None


def expected(kind: Any) -> str:
    """What values of a type look like, in words."""
    if kind in _NAMES:
        return _NAMES[kind]
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if _is_union(kind):
        return " or ".join(expected(member) for member in arguments if member is not type(None))
    if _is_list(kind):
        return "a list of " + expected(arguments[0]) if arguments else "a list"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    return "a table" if has(kind) or get_origin(kind) in (dict, Mapping) else getattr(kind, "__name__", str(kind))


def _what(value: Any) -> str:
    names = {bool: "a truth value", str: "this text", int: "this number", float: "this number", dict: "a table"}
    return names.get(type(value), "a list" if isinstance(value, list | tuple) else type(value).__name__)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_list(kind: Any) -> bool:
    return kind in _LISTS or get_origin(kind) in _LISTS


def _truth(value: Any, _kind: Any) -> bool:
    return value if isinstance(value, bool) else _WORDS[value.strip().lower()]


def _whole(value: Any, _kind: Any) -> int:
    if isinstance(value, bool | float):
        raise TypeError
    return int(value)


def _number(value: Any, _kind: Any) -> float:
    if isinstance(value, bool) or math.isnan(float(value)):
        raise TypeError
    return float(value)


def _text(value: Any, _kind: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _path(value: Any, _kind: Any) -> Path:
    return Path(value)


def _member(value: Any, kind: Any) -> Any:
    """The first member of a union that takes the value."""
    if value is None and type(None) in get_args(kind):
        return None
    for member in get_args(kind):
        try:
            return _CONVERTER.structure(value, member)
        except Exception:  # noqa: S112  # cattrs raises many kinds; the next member may take it
            continue
    raise TypeError


def _list_factory(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    element = next(iter(get_args(kind)), Any)
    build = next((made for made in (list, set, frozenset) if (get_origin(kind) or kind) is made), tuple)

    def structure(value: Any, _kind: Any) -> Any:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list | tuple | set | frozenset):
            raise TypeError
        return build(converter.structure(part, element) for part in value)

    return structure


def _new_converter() -> Converter:
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    for kind, hook in ((bool, _truth), (int, _whole), (float, _number), (str, _text), (Path, _path)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_factory(_is_list)(_list_factory)
    converter.register_structure_hook_func(_is_union, _member)
    return converter


_CONVERTER = _new_converter()
