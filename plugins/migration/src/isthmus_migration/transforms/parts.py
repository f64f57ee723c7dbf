"""What a transform is made of: declarations of computed, split, merged and converted attributes, checked at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeVar, get_args

from attrs import field, fields, frozen

from isthmus.errors import InvalidArgument
from isthmus.expressions import MISSING
from isthmus.hints import nearest
from isthmus.values import Value, dumps, loads, normalise
from isthmus_migration.transforms.paths import parse_path

_Part = TypeVar("_Part", "TypeOf", "Computed", "Split", "Merge")
TypeName = Literal["set", "list", "date", "number", "integer", "text", "binary", "boolean"]
TYPE_NAMES: Final[tuple[str, ...]] = get_args(TypeName)
_JSON_TYPES: Final = (str, int, bool, type(None))


def one_of(*allowed: str | None) -> Callable[[Any, Any, Any], None]:
    """A validator of attrs for a field with a few possible values."""

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if value in allowed:
            return
        near = nearest(str(value), [name for name in allowed if name], cutoff=0.4)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(str(name) for name in allowed if name)}"
        )
        raise InvalidArgument(f"{attribute.name} {value!r} is unknown: {hint}")

    return check


def _true_or_false(_instance: object, attribute: Any, value: object) -> None:
    if type(value) is not bool:
        raise InvalidArgument(f"{attribute.name} is true or false, not {value!r}")


def _texts(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgument("several attributes are given as a list of their paths")
    return tuple(given)


def _sources(given: Any) -> tuple[str, ...] | dict[str, str]:
    return {name: given[name] for name in sorted(given)} if isinstance(given, Mapping) else _texts(given)


def _positions(given: Any) -> tuple[int, ...] | None:
    return None if given is None else tuple(given)


@frozen
class TypeOf:
    """What type an attribute shall have. Null stays null, and a value that has the type already stays as it is.

    :param type: ``set`` from a list; ``list`` from a set, sorted; ``date``: UTC text ``YYYY-MM-DDTHH:MM:SS.fff000Z``;
        ``number`` and ``integer`` from text; ``text`` from a number, a boolean or binary; ``binary`` from text;
        ``boolean`` from the texts true and false, or from 1 and 0
    :param duplicates: what a list with equal members becomes as a set: ``refuse`` makes a dead letter, ``drop`` keeps
        one of the equal members
    :param empty: what an empty list becomes as a set, since there are no empty sets: ``refuse`` makes a dead letter,
        ``leave_out`` leaves the attribute out
    :param unit: what the number of a date counts since 1970 in UTC: ``seconds`` or ``milliseconds``; without it a date
        is ISO text with an offset
    :param encoding: how binary is written as text: ``base64``, ``hex`` or ``utf-8``
    """

    type: str = field(validator=one_of(*TYPE_NAMES))
    duplicates: str = field(default="refuse", validator=one_of("refuse", "drop"))
    empty: str = field(default="refuse", validator=one_of("refuse", "leave_out"))
    unit: str | None = field(default=None, validator=one_of(None, "seconds", "milliseconds"))
    encoding: str = field(default="base64", validator=one_of("base64", "hex", "utf-8"))

    def __attrs_post_init__(self) -> None:
        belongs = {"duplicates": ("set",), "empty": ("set",), "unit": ("date",), "encoding": ("text", "binary")}
        defaults = {"duplicates": "refuse", "empty": "refuse", "unit": None, "encoding": "base64"}
        for name, types in belongs.items():
            if getattr(self, name) != defaults[name] and self.type not in types:
                raise InvalidArgument(f"{name} belongs to the type {types[0]}, not to {self.type}")

    def to_data(self) -> Any:
        """JSON-ready data; only the type's name where nothing else is declared."""
        data = declared(self)
        return self.type if len(data) == 1 else data


@frozen
class Computed:
    """A new attribute, from exactly one of these.

    :param template: text with paths in braces, ``"{first} {last}"``; ``{{`` and ``}}`` are braces
    :param value: a constant
    :param copy: the path of the attribute to copy
    :param missing: what happens where an attribute that it is made of is missing: ``refuse`` makes a dead letter,
        ``leave_out`` leaves the new attribute out
    :param replace: whether an attribute of the same name is replaced; otherwise it makes a dead letter
    """

    template: str | None = None
    value: Any = MISSING
    copy: str | None = None
    missing: str = field(default="refuse", validator=one_of("refuse", "leave_out"))
    replace: bool = field(default=False, validator=_true_or_false)

    def __attrs_post_init__(self) -> None:
        if (self.template is not None) + (self.value is not MISSING) + (self.copy is not None) != 1:
            raise InvalidArgument("a computed attribute has exactly one of template, value and copy")
        if self.template is not None:
            template_parts(self.template)
        if self.copy is not None:
            parse_path(self.copy, indexes=True)
        if self.value is not MISSING:
            object.__setattr__(self, "value", normalise(self.value))

    def to_data(self) -> Any:
        """JSON-ready data. What JSON does not know is in lossless JSON text, as the field ``json``."""
        data = declared(self)
        if not _is_plain(data.get("value")):
            data["json"] = dumps(data.pop("value"))
        return data


def _is_plain(value: Value) -> bool:
    return type(value) in _JSON_TYPES


_TEMPLATE: Final = re.compile(r"(\{\{|\}\})|\{([^{}]+)\}|([^{}]+)")
Literals = str | tuple[str | int, ...]


def template_parts(template: object) -> list[Literals]:
    """The pieces of a template: text as it is, and paths.

    :raises InvalidArgument: it can't be read
    """
    if not isinstance(template, str):
        raise InvalidArgument("a template is text with paths in braces, such as {first} {last}")
    parts: list[Literals] = []
    position = 0
    while position < len(template):
        found = _TEMPLATE.match(template, position)
        if found is None:
            raise InvalidArgument(f"the template has a lone brace at column {position + 1}: write {{{{ or }}}} for one")
        brace, path, text = found.groups()
        parts.append(parse_path(path, indexes=True) if path else text or brace[0])
        position = found.end()
    return parts


@frozen
class Split:
    """An attribute that becomes several: text by a separator, a pattern or positions; a list by its elements.

    Where the parts are not as many as the attributes, the item becomes a dead letter.

    :param into: the new attributes
    :param separator: what stands between the parts of the text
    :param pattern: a regular expression for the whole text; its groups are the parts, a group that took no part in the
        match leaves its attribute out
    :param at: the positions, in characters, at which parts begin, the first one not
    :param keep: whether the attribute stays as well
    """

    into: tuple[str, ...] = field(converter=_texts)
    separator: str | None = None
    pattern: str | None = None
    at: tuple[int, ...] | None = field(default=None, converter=_positions)
    keep: bool = field(default=False, validator=_true_or_false)

    def __attrs_post_init__(self) -> None:
        for path in self.into:
            parse_path(path)
        if not self.into:
            raise InvalidArgument("a split names the attributes that it makes in into")
        if sum(way is not None for way in (self.separator, self.pattern, self.at)) > 1:
            raise InvalidArgument("a split has one of separator, pattern and at; without them it divides a list")
        if self.separator == "":
            raise InvalidArgument("a separator is text of at least one character")
        self._check_pattern()
        self._check_positions()

    def _check_pattern(self) -> None:
        if self.pattern is None:
            return
        try:
            groups = re.compile(self.pattern).groups
        except (re.error, TypeError) as error:
            raise InvalidArgument(f"the pattern is no regular expression: {error}") from None
        if groups != len(self.into):
            raise InvalidArgument(f"the pattern has {groups} groups for {len(self.into)} attributes: make them as many")

    def _check_positions(self) -> None:
        if self.at is None:
            return
        rising = all(type(position) is int for position in self.at) and [0, *self.at] == sorted({0, *self.at})
        if not rising or len(self.at) != len(self.into) - 1:
            raise InvalidArgument("at has rising positions above zero, one fewer than there are attributes")

    def to_data(self) -> Any:
        """JSON-ready data."""
        return declared(self)


@frozen
class Merge:
    """An attribute made of several, which it takes the place of.

    :param of: the attributes; a mapping of names to paths makes a map of these names
    :param separator: what stands between the parts of a text; without it a list of paths makes a list
    :param missing: what happens where one of them is missing: ``refuse`` makes a dead letter, ``leave_out`` leaves
        that part out, and the new attribute where no part is left
    :param keep: whether the attributes stay as well
    """

    of: tuple[str, ...] | dict[str, str] = field(converter=_sources)
    separator: str | None = None
    missing: str = field(default="refuse", validator=one_of("refuse", "leave_out"))
    keep: bool = field(default=False, validator=_true_or_false)

    def __attrs_post_init__(self) -> None:
        for path in self.paths:
            parse_path(path)
        if not self.paths:
            raise InvalidArgument("a merge names the attributes that it takes in of")
        if self.separator is not None and (isinstance(self.of, dict) or not isinstance(self.separator, str)):
            raise InvalidArgument("a separator is text between the parts of a list of paths: a map has none")
        if isinstance(self.of, dict):
            normalise(dict.fromkeys(self.of))

    @property
    def paths(self) -> tuple[str, ...]:
        """The attributes that it takes."""
        return tuple(self.of.values()) if isinstance(self.of, dict) else self.of

    def to_data(self) -> Any:
        """JSON-ready data."""
        return declared(self)


def declared(thing: Any) -> dict[str, Any]:
    """The fields of a declaration that are not at their defaults, as JSON-ready data."""
    found = {each.name: (getattr(thing, each.name), each.default) for each in fields(type(thing))}
    return {
        name: list(value) if type(value) is tuple else value
        for name, (value, default) in found.items()
        if type(value) is not type(default) or value != default
    }


def type_of(data: Any) -> TypeOf:
    """A declared type from data: its name, or a table."""
    return data if isinstance(data, TypeOf) else TypeOf(data) if not isinstance(data, Mapping) else _made(TypeOf, data)


def computed(data: Any) -> Computed:
    """A computed attribute from data: text is a template, another plain value a constant, else a table."""
    if isinstance(data, Computed):
        return data
    if isinstance(data, str):
        return Computed(template=data)
    if not isinstance(data, Mapping):
        return Computed(value=data)
    if "json" in data:
        data = {**data, "value": loads(data["json"])}
        del data["json"]
    return _made(Computed, data)


def split(data: Any) -> Split:
    """A split from data: a list of attributes divides a list, else a table."""
    return data if isinstance(data, Split) else Split(data) if not isinstance(data, Mapping) else _made(Split, data)


def merge(data: Any) -> Merge:
    """A merge from data: a list of attributes makes a list, else a table."""
    return data if isinstance(data, Merge) else Merge(data) if not isinstance(data, Mapping) else _made(Merge, data)


def _made(kind: type[_Part], data: Mapping[str, Any]) -> _Part:
    check_fields(data, [each.name for each in fields(kind)])
    try:
        return kind(**data)
    except TypeError as error:
        raise InvalidArgument(f"a field has a wrong type or is missing: {error}") from None


def check_fields(data: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse fields that are not known.

    :raises InvalidArgument: there is one; the message names the nearest known one
    """
    names = sorted(known)
    for name in data:
        if name not in names:
            near = nearest(str(name), names)
            raise InvalidArgument(
                f"there is no field {name!r}: " + (f"did you mean {near[0]!r}?" if near else f"use {', '.join(names)}")
            )
