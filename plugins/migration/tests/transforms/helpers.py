"""Transforms of small items, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.schema import Table
from isthmus.values import Item, copy_item
from isthmus_migration.transforms import CompiledTransform, Transform, TransformError, compile_transform

THINGS = Table("things", "id")


def compiled(**declared: Any) -> CompiledTransform:
    """A transform of the table of things."""
    return compile_transform(Transform(**declared), THINGS)


def transformed(item: dict[str, Any], **declared: Any) -> Item:
    """What becomes of an item, without its key; the item itself must stay as it is."""
    whole: Item = {"id": "1", **item}
    before = copy_item(whole)
    result = compiled(**declared)(whole)
    assert whole == before
    assert result is not None
    assert result.pop("id") == "1"
    return result


def refused(item: dict[str, Any], **declared: Any) -> TransformError:
    """The error with which an item is refused."""
    with pytest.raises(TransformError) as caught:
        compiled(**declared)({"id": "1", **item})
    return caught.value
