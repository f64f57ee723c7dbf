"""Transforms ready to run: one call for each item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from attrs import field, frozen

from isthmus.capabilities import Limits
from isthmus.cli.where import parse_condition
from isthmus.errors import ConfigurationError, InvalidValue
from isthmus.evaluate import predicate
from isthmus.schema import Table
from isthmus.values import WIDE, Item, ValueLimits, copy_item, equal, normalise_attributes
from isthmus_migration.errors import PlanChanged
from isthmus_migration.transforms import steps
from isthmus_migration.transforms.declaration import Transform
from isthmus_migration.transforms.errors import TransformError
from isthmus_migration.transforms.functions import function_step, load_function, source_hash
from isthmus_migration.transforms.paths import parse_path
from isthmus_migration.transforms.targets import target_of

_KEY_KINDS: Final = {"string": (str,), "number": (int, Decimal), "binary": (bytes,)}
_Run = Callable[[Item], Item | None]


@frozen
class CompiledTransform:
    """A transform of one table.

    :param identity: whether every item stays as it is
    :param changes_keys: whether an item's key may become another one, so that two items may get the same
    :param target_table: the table that the items go to
    :param notes: what of the source's definition the target's table has not got, a sentence for each point
    """

    transform: Transform
    identity: bool
    changes_keys: bool
    target_table: Table
    notes: tuple[str, ...]
    _run: _Run = field(repr=False, eq=False)

    def __call__(self, item: Item) -> Item | None:
        """The item as it goes to the target, with normal values; ``None`` where it is left out.

        The item that is given stays as it is; if the transform is the identity, it is itself what is returned.

        :raises TransformError: it can't be transformed as declared
        """
        return self._run(item)


def compile_transform(transform: Transform, source: Table, limits: Limits | None = None) -> CompiledTransform:
    """Make a transform ready to run; its function is imported.

    :param limits: those of the target: what it may hold may come out, and its own checks of sizes come later
    :raises ConfigurationError: the target would have no key, or the function can't be imported
    :raises PlanChanged: the source of the function is not the one that the plan was made with
    """
    target = target_of(transform, source)
    if transform.keep_keys and source.keys != target.table.keys:
        raise ConfigurationError(
            "keep_keys: the target's table has other keys than the source's: leave out one of them"
        )
    value_limits = _value_limits(limits or Limits())
    run = _runner(transform, source, target.table, value_limits)
    changes = run is not _unchanged and _changes_keys(transform, source, target.table)
    return CompiledTransform(transform, run is _unchanged, changes, target.table, target.notes, run)


def _value_limits(limits: Limits) -> ValueLimits:
    return ValueLimits(depth=max(limits.depth, WIDE.depth), number_digits=max(limits.number_digits, WIDE.number_digits))


def _unchanged(item: Item) -> Item:
    return item


def _runner(transform: Transform, source: Table, target: Table, limits: ValueLimits) -> _Run:
    changing = tuple(_steps(transform))
    if not changing and transform.function is None and source.keys == target.keys:
        return _unchanged if transform.filter is None else _filtered(transform.filter, _unchanged)
    own = copy_item if _reaches_inside(transform) else dict
    called = None if transform.function is None else _function(transform, limits)

    def run(item: Item) -> Item | None:
        result: Item | None = own(item)
        for step in changing:
            step(result)  # type: ignore[arg-type]  # only a function gives None, and it comes last
        result = _normal(result, limits) if called is None else called(result)  # type: ignore[arg-type]  # as above
        if result is not None:
            _check_keys(result, target)
            if transform.keep_keys:
                _check_kept(item, result, target)
        return result

    return run if transform.filter is None else _filtered(transform.filter, run)


def _filtered(condition: str, run: _Run) -> _Run:
    wanted = predicate(parse_condition(condition))
    return lambda item: run(item) if wanted(item) else None


def _steps(transform: Transform) -> Iterator[steps.Step]:
    if transform.rename:
        yield steps.rename_step(transform.rename)
    if transform.split:
        yield steps.split_step(transform.split)
    if transform.merge:
        yield steps.merge_step(transform.merge)
    if transform.compute:
        yield steps.compute_step(transform.compute)
    if transform.types:
        yield steps.types_step(transform.types)
    if transform.drop:
        yield steps.drop_step(transform.drop)


def _reaches_inside(transform: Transform) -> bool:
    """Whether lists and maps inside the item are changed, which then needs its own copies of them."""
    paths = [
        *transform.rename, *transform.rename.values(), *transform.split, *transform.merge, *transform.compute,
        *transform.types, *transform.drop, *(path for split in transform.split.values() for path in split.into),
        *(path for merge in transform.merge.values() for path in merge.paths),
    ]  # fmt: skip
    return any(len(parse_path(path, elements=True)) > 1 for path in paths)


def _function(transform: Transform, limits: ValueLimits) -> _Run:
    path, planned = transform.function or "", transform.function_hash
    if planned is not None and source_hash(path) != planned:
        raise PlanChanged(
            f"the source of the transform {path} has changed since the plan was made: put it back, resume with "
            "--accept-new-plan (accept_new_plan() in Python), or plan again"
        )
    return function_step(path, load_function(path), limits)


def _normal(item: Item, limits: ValueLimits) -> Item:
    """The item, of which the steps may have made a map too deep or given an attribute a reserved name."""
    try:
        return normalise_attributes(item, limits, top_level=True)
    except InvalidValue as error:
        raise TransformError("invalid_value", (), error.message) from None


def _check_keys(item: Item, target: Table) -> None:
    for key in target.keys:
        if type(item.get(key.name)) not in _KEY_KINDS[key.type]:
            wrong = f"is no {key.type}" if key.name in item else "is missing"
            raise TransformError("invalid_key", (key.name,), f"{wrong}, but is a key attribute of the target")


def _check_kept(before: Item, after: Item, target: Table) -> None:
    for name in target.key_names:
        if not equal(before[name], after[name]):
            raise TransformError("key_changed", (name,), "would become another key, and keys are to stay: keep it")


def _changes_keys(transform: Transform, source: Table, target: Table) -> bool:
    if transform.keep_keys:
        return False
    if transform.function is not None or source.keys != target.keys:
        return True
    written = [
        *transform.merge, *transform.compute, *transform.types, *transform.rename, *transform.rename.values(),
        *(path for split in transform.split.values() for path in split.into),
    ]  # fmt: skip
    return any(parse_path(path, elements=True)[0] in target.key_names for path in written)
