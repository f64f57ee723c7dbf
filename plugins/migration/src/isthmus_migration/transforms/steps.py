"""The compiled parts of a transform: functions that change an item of their own in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from isthmus.evaluate import lookup
from isthmus.expressions import MISSING, Path
from isthmus.values import Item, copy_value, number_text, type_name
from isthmus_migration.transforms.conversions import Converter, converter
from isthmus_migration.transforms.errors import TransformError
from isthmus_migration.transforms.parts import Computed, Merge, Split, TypeOf, template_parts
from isthmus_migration.transforms.paths import EACH, containers, parse_path, put, split_elements, take

Step = Callable[[Item], None]
_Value = Callable[[Item], Any]


def rename_step(renames: dict[str, str]) -> Step:
    """All renames at once, so that two attributes can exchange their names."""
    groups: dict[Path, list[tuple[Path, Path]]] = {}
    for old, new in renames.items():
        within, names = split_elements(parse_path(old, elements=True))
        groups.setdefault(within, []).append((names, split_elements(parse_path(new, elements=True))[1]))
    # Old names are those that the item came with, so what is deepest moves first.
    moves = [(within, _mover(groups[within])) for within in sorted(groups, key=len, reverse=True)]

    def rename(item: Item) -> None:
        for within, move in moves:
            for path, found in containers(item, within):
                if type(found) is dict:
                    move(found, path)

    return rename


def _mover(pairs: list[tuple[Path, Path]]) -> Callable[[Item, Path], None]:
    pairs = sorted(pairs, key=lambda pair: len(pair[0]), reverse=True)

    def move(item: Item, above: Path) -> None:
        taken = [(new, value) for old, new in pairs if (value := take(item, old)) is not MISSING]
        # A new map has to be there before what is put into it.
        for new, value in sorted(taken, key=_depth):
            put(item, new, value, above=above)

    return move


def _depth(placed: tuple[Path, Any]) -> int:
    return len(placed[0])


def split_step(splits: dict[str, Split]) -> Step:
    """All splits, each of the item as it was."""
    ways = [
        (parse_path(path), _divider(split, parse_path(path)), tuple(map(parse_path, split.into)), split.keep)
        for path, split in splits.items()
    ]

    def split(item: Item) -> None:
        made: list[tuple[Path, Any]] = []
        for path, divide, into, keep in ways:
            value = lookup(item, path) if keep else take(item, path)
            if value is not MISSING:
                made += zip(into, divide(value), strict=True)
        for path, part in made:
            if part is not None:
                put(item, path, copy_value(part))

    return split


def _divider(split: Split, path: Path) -> Callable[[Any], Iterable[Any]]:
    if split.separator is None and split.pattern is None and split.at is None:
        return _elements(split, path)
    divide = _text_divider(split)

    def parts(value: Any) -> Iterable[Any]:
        if type(value) is not str:
            raise TransformError("wrong_type", path, f"is a {type_name(value)}: only text can be split so")
        found = divide(value)
        if found is None or len(found) != len(split.into):
            raise TransformError("wrong_shape", path, f"does not have the {len(split.into)} parts that are declared")
        return found

    return parts


def _elements(split: Split, path: Path) -> Callable[[Any], Iterable[Any]]:
    def elements(value: Any) -> Iterable[Any]:
        if type(value) is not list or len(value) != len(split.into):
            raise TransformError("wrong_shape", path, f"is no list of {len(split.into)} elements, as is declared")
        if None in value:
            raise TransformError("wrong_shape", path, "has a null among the elements to split: write a function")
        return value

    return elements


def _text_divider(split: Split) -> Callable[[str], list[str | Any] | tuple[str | Any, ...] | None]:
    if split.separator is not None:
        separator = split.separator
        return lambda text: text.split(separator)
    if split.pattern is not None:
        fullmatch = re.compile(split.pattern).fullmatch
        return lambda text: None if (found := fullmatch(text)) is None else found.groups()
    bounds = (0, *(split.at or ()))

    def at(text: str) -> list[str] | None:
        if len(text) < bounds[-1]:
            return None
        return [text[low:high] for low, high in zip(bounds, (*bounds[1:], len(text)), strict=True)]

    return at


def merge_step(merges: dict[str, Merge]) -> Step:
    """All merges, each of the item as it was."""
    ways = [(parse_path(path), _merger(merge, parse_path(path))) for path, merge in merges.items()]
    gone = [parse_path(path) for merge in merges.values() if not merge.keep for path in merge.paths]

    def merge(item: Item) -> None:
        made = [(path, make(item)) for path, make in ways]
        for path in gone:
            take(item, path)
        for path, value in made:
            if value is not MISSING:
                put(item, path, value)

    return merge


def _merger(merge: Merge, path: Path) -> _Value:
    sources = list(map(parse_path, merge.paths))
    join = _joiner(merge, path)

    def merged(item: Item) -> Any:
        values = [lookup(item, source) for source in sources]
        if MISSING in values and merge.missing == "refuse":
            raise _missing(sources[values.index(MISSING)])
        return join(values) if any(value is not MISSING for value in values) else MISSING

    return merged


def _joiner(merge: Merge, path: Path) -> Callable[[list[Any]], Any]:
    if isinstance(merge.of, dict):
        names = tuple(merge.of)
        return lambda values: {
            name: copy_value(value) for name, value in zip(names, values, strict=True) if value is not MISSING
        }
    if merge.separator is None:
        return lambda values: [copy_value(value) for value in values if value is not MISSING]
    separator = merge.separator
    return lambda values: separator.join(as_text(value, path) for value in values if value is not MISSING)


def as_text(value: Any, path: Path) -> str:
    """Text as it is, a number in its plain form.

    :raises TransformError: it is something else
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]  # a string
    if kind is int or kind is Decimal:
        return number_text(value)
    raise TransformError("wrong_type", path, f"would be made of a {type_name(value)}: only text and numbers make text")


def _missing(path: Path) -> TransformError:
    return TransformError("attribute_missing", path, 'is missing: declare missing = "leave_out" where it may be')


def compute_step(computed: dict[str, Computed]) -> Step:
    """All computed attributes, each of the item as it was."""
    ways = [(parse_path(path), _maker(each, parse_path(path)), each.replace) for path, each in computed.items()]

    def compute(item: Item) -> None:
        for path, value, replace in [(path, make(item), replace) for path, make, replace in ways]:
            if value is not MISSING:
                put(item, path, value, replace=replace)

    return compute


def _maker(computed: Computed, path: Path) -> _Value:
    if computed.value is not MISSING:
        return lambda _item: copy_value(computed.value)
    required = computed.missing == "refuse"

    def found(item: Item, source: Path) -> Any:
        value = lookup(item, source)
        if value is MISSING and required:
            raise _missing(source)
        return value

    if computed.copy is not None:
        source = parse_path(computed.copy, indexes=True)
        return lambda item: MISSING if (value := found(item, source)) is MISSING else copy_value(value)
    return _template(computed.template or "", path, found)


def _template(template: str, path: Path, found: Callable[[Item, Path], Any]) -> _Value:
    parts = template_parts(template)

    def text(item: Item) -> Any:
        values = [part if isinstance(part, str) else found(item, part) for part in parts]
        return MISSING if MISSING in values else "".join(as_text(value, path) for value in values)

    return text


def types_step(types: dict[str, TypeOf]) -> Step:
    """All conversions; elements before the lists that they are in."""
    paths = {parse_path(path, elements=True): converter(declared) for path, declared in types.items()}
    ways = [(path[:-1], path[-1], paths[path]) for path in sorted(paths, key=len, reverse=True)]

    def convert(item: Item) -> None:
        for parent, last, to_type in ways:
            for path, container in containers(item, parent):
                if last == EACH and type(container) is list:
                    _convert_elements(container, path, to_type)
                elif last != EACH and type(container) is dict and last in container:
                    _convert_member(container, str(last), (*path, last), to_type)

    return convert


def _convert_member(container: dict[str, Any], name: str, path: Path, to_type: Converter) -> None:
    value = to_type(container[name], path)
    if value is MISSING:
        del container[name]
    else:
        container[name] = value


def _convert_elements(elements: list[Any], path: Path, to_type: Converter) -> None:
    for position, element in enumerate(elements):
        value = to_type(element, (*path, position))
        if value is MISSING:
            raise TransformError("empty_set", (*path, position), "is empty, and elements of a list can't be left out")
        elements[position] = value


def drop_step(dropped: Iterable[str]) -> Step:
    """All attributes to leave out."""
    ways = [split_elements(parse_path(path, elements=True)) for path in dropped]

    def drop(item: Item) -> None:
        for within, names in ways:
            for _path, found in containers(item, within):
                if type(found) is dict:
                    take(found, names)

    return drop
