"""Dry runs: what would change, for programs and for people."""

from __future__ import annotations

import io
import json
from decimal import Decimal

from rich.console import Console

from isthmus.values import Item
from isthmus_migration.transforms import Sample, difference, dry_run
from isthmus_migration.transforms.rendering import render_samples
from plugins.migration.tests.transforms.helpers import compiled

BEFORE: Item = {"id": "1", "old": "value", "gone": 1, "tags": ["a"], "place": {"lat": "1.5", "same": 1}, "l": [1, 2]}
AFTER: Item = {
    "id": "1", "new": "value", "tags": frozenset({"a"}), "place": {"lat": Decimal("1.5"), "same": 1}, "l": [1, 3],
    "more": True,
}  # fmt: skip


def test_differences_have_kind_path_and_types() -> None:
    """A value that is gone in one place and new in another looks renamed."""
    found = [(change.kind, change.path, change.former, change.types) for change in difference(BEFORE, AFTER)]
    assert found == [
        ("removed", ("gone",), None, ("number", None)),
        ("changed", ("l", 1), None, ("number", "number")),
        ("added", ("more",), None, (None, "boolean")),
        ("renamed", ("new",), ("old",), ("string", "string")),
        ("changed", ("place", "lat"), None, ("string", "number")),
        ("changed", ("tags",), None, ("list", "string_set")),
    ]


def test_equal_items_have_no_differences() -> None:
    """The order of names has no meaning."""
    assert difference({"a": 1, "b": frozenset({"x"})}, {"b": frozenset({"x"}), "a": 1}) == []


def test_values_that_come_twice_dont_look_renamed() -> None:
    """Nobody could tell which became which."""
    found = difference({"a": 1, "b": 1}, {"c": 1})
    assert {change.kind for change in found} == {"added", "removed"}


def _samples() -> list[Sample]:
    transform = compiled(filter="n > 0", rename={"n": "number"}, types={"tags": "set"})
    return dry_run(
        transform, [{"id": "1", "n": 1}, {"id": "2", "n": 0}, {"id": "3", "n": 2, "tags": ["[red]x", "[red]x"]}]
    )


def test_a_dry_run_tells_what_becomes_of_each_item() -> None:
    """As data that JSON knows, with lossless values."""
    found = json.loads(json.dumps([sample.to_dict(["id"]) for sample in _samples()]))
    assert [(sample["key"], sample["outcome"]) for sample in found] == [
        ('{"id":"1"}', "written"), ('{"id":"2"}', "left_out"), ('{"id":"3"}', "refused"),
    ]  # fmt: skip
    assert found[0]["changes"] == [
        {"kind": "renamed", "path": "number", "former": "n", "types": ["number", "number"], "before": "1", "after": "1"}
    ]
    assert found[2]["error"]["code"] == "duplicate_members"


def test_a_dry_run_is_shown_to_people() -> None:
    """A line for each change, and a summary; what looks like markup stays text."""
    samples = [*_samples(), Sample({"id": "4", "a": "[bold]x"}, {"id": "4"})]
    out = io.StringIO()
    Console(file=out, width=200).print(render_samples(samples, ["id"]))
    assert out.getvalue().splitlines() == [
        '{"id":"1"}',
        "  > n -> number (number): 1",
        '{"id":"2"}',
        "  left out",
        '{"id":"3"}',
        f"  dead letter, duplicate_members: {samples[2].error}",
        '{"id":"4"}',
        '  - a (string): "[bold]x"',
        "4 items: 2 would be written, 1 left out, 1 dead letters",
    ]
