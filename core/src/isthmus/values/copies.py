"""Copies of portable values that share no mutable part."""

from __future__ import annotations

from isthmus.values.model import Item, Value


def copy_value(value: Value) -> Value:
    """The value with its own lists and maps; everything else is immutable and stays."""
    kind = type(value)
    if kind is dict:
        return {name: copy_value(part) for name, part in value.items()}  # type: ignore[union-attr]  # a dict
    if kind is list:
        return [copy_value(part) for part in value]  # type: ignore[union-attr]  # a list
    return value


def copy_item(item: Item) -> Item:
    """The item with its own lists and maps."""
    return {name: copy_value(value) if type(value) in (dict, list) else value for name, value in item.items()}
