"""What a transform changes, path by path: for dry runs on a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from attrs import field, frozen

from isthmus.expressions import MISSING, Path
from isthmus.values import Item, canonical_bytes, dumps, equal, type_name
from isthmus_migration.transforms.compiling import CompiledTransform
from isthmus_migration.transforms.errors import TransformError
from isthmus_migration.transforms.paths import shown

Kind = Literal["added", "removed", "changed", "renamed"]


@frozen
class Change:
    """A difference between an item and what became of it.

    :param path: where, in the new item; in the old one for what was removed
    :param former: where a renamed value was
    :param before: the value before; ``MISSING`` where there was none
    :param after: the value now; ``MISSING`` where there is none
    """

    kind: Kind
    path: Path
    before: Any = field(repr=False)
    after: Any = field(repr=False)
    former: Path | None = None

    @property
    def types(self) -> tuple[str | None, str | None]:
        """The names of the types before and now; ``None`` where there is no value."""
        return _type(self.before), _type(self.after)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data, values included, as lossless JSON text."""
        values = {"before": self.before, "after": self.after}
        return {
            "kind": self.kind,
            "path": shown(self.path),
            "former": None if self.former is None else shown(self.former),
            "types": list(self.types),
            **{name: dumps(value) for name, value in values.items() if value is not MISSING},
        }


def _type(value: Any) -> str | None:
    return None if value is MISSING else type_name(value)


def difference(before: Item, after: Item) -> list[Change]:
    """The differences between two items, in the order of their paths.

    A value that is gone from one place and new in another looks renamed, if it is the only one of that content.
    """
    found = list(_maps(before, after, ()))
    changes = _with_renames(found)
    return sorted(changes, key=lambda change: [str(element) for element in change.path])


def _maps(before: Any, after: Any, path: Path) -> Iterator[Change]:
    for name in {**before, **after}:
        yield from _values(before.get(name, MISSING), after.get(name, MISSING), (*path, name))


def _values(before: Any, after: Any, path: Path) -> Iterator[Change]:
    if type(before) is dict and type(after) is dict:
        yield from _maps(before, after, path)
    elif type(before) is list and type(after) is list and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _values(old, new, (*path, position))
    elif before is MISSING:
        yield Change("added", path, before, after)
    elif after is MISSING:
        yield Change("removed", path, before, after)
    elif not equal(before, after):
        yield Change("changed", path, before, after)


def _with_renames(changes: list[Change]) -> list[Change]:
    added = _by_content((change.after, change) for change in changes if change.kind == "added")
    removed = _by_content((change.before, change) for change in changes if change.kind == "removed")
    pairs = {
        content: (removed[content][0], added[content][0])
        for content in added
        if len(added[content]) == len(removed.get(content, ())) == 1
    }
    gone = {id(change) for pair in pairs.values() for change in pair}
    renamed = [Change("renamed", new.path, old.before, new.after, old.path) for old, new in pairs.values()]
    return [change for change in changes if id(change) not in gone] + renamed


def _by_content(values: Iterable[tuple[Any, Change]]) -> dict[bytes, list[Change]]:
    found: dict[bytes, list[Change]] = {}
    for value, change in values:
        found.setdefault(canonical_bytes(value), []).append(change)
    return found


@frozen
class Sample:
    """What a dry run made of one item.

    :param before: the item as it was read
    :param after: as it would be written; ``None`` where it is left out or refused
    :param error: why it is refused
    """

    before: Item = field(repr=False)
    after: Item | None = field(repr=False)
    error: TransformError | None = None

    @property
    def changes(self) -> list[Change]:
        """The differences; none where nothing would be written."""
        return [] if self.after is None else difference(self.before, self.after)

    def to_dict(self, key_names: Iterable[str]) -> dict[str, Any]:
        """JSON-ready data, values included.

        :param key_names: the key attributes of the source's table
        """
        outcome = "refused" if self.error else "left_out" if self.after is None else "written"
        return {
            "key": dumps({name: self.before[name] for name in key_names if name in self.before}),
            "outcome": outcome,
            "changes": [change.to_dict() for change in self.changes],
            "error": None if self.error is None else {"code": self.error.code, "message": self.error.message},
        }


def dry_run(compiled: CompiledTransform, items: Iterable[Item]) -> list[Sample]:
    """What a transform would make of items."""
    return [_sample(compiled, item) for item in items]


def _sample(compiled: CompiledTransform, item: Item) -> Sample:
    try:
        return Sample(item, compiled(item))
    except TransformError as error:
        return Sample(item, None, error)
