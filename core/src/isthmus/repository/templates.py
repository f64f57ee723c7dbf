"""Keys made of fields: templates such as ``"ORG#{org}"``, and single fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import field, frozen

from isthmus.errors import InvalidArgument, InvalidKey
from isthmus.repository.shapes import ABSENT, Field
from isthmus.schema import KeyType

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_KEY_TYPES: Final[dict[str, KeyType]] = {"string": "string", "number": "number", "binary": "binary"}


class KeyPart(Protocol):
    """How one key attribute is made of an entity's fields."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that it is made of."""

    @property
    def type(self) -> KeyType:
        """The type of the key attribute."""

    def value(self, stored: Mapping[str, Any]) -> Any:
        """The key's value from stored attributes; ``ABSENT`` where one is missing."""


@frozen(eq=False)
class FieldKey:
    """One field as it is stored."""

    field: Field
    type: KeyType

    @property
    def fields(self) -> tuple[Field, ...]:
        return (self.field,)

    def value(self, stored: Mapping[str, Any]) -> Any:
        found = stored.get(self.field.stored)
        return ABSENT if found is None else found


@frozen(eq=False)
class Template:
    """Text with the values of fields in it.

    Different values never give the same text: one that holds what separates it from the next is refused.
    """

    text: str
    literals: tuple[str, ...]
    """What stands before each field, and after the last one."""
    fields: tuple[Field, ...]
    type: KeyType = field(default="string", init=False)

    def value(self, stored: Mapping[str, Any]) -> Any:
        texts = []
        for one in self.fields:
            found = stored.get(one.stored)
            if found is None:
                return ABSENT
            texts.append(found if type(found) is str else str(found))
        return self.filled(texts)

    def filled(self, texts: list[str]) -> str:
        """The text with values for the first fields, or for all; it ends where the first missing value would stand."""
        parts = [self.literals[0]]
        for place, text in enumerate(texts):
            after = self.literals[place + 1]
            if after and (text + after).index(after) != len(text):
                name = self.fields[place].name
                raise InvalidKey(f"the value of field {name!r} holds {after!r}, which ends it in the key {self.text!r}")
            parts += (text, after)
        return "".join(parts)


def key_part(declared: str, fields: Mapping[str, Field], owner: str) -> FieldKey | Template:
    """A key as a model declares it.

    :raises InvalidArgument: it names no field, or one that can't be part of a key
    """
    if "{" in declared or "}" in declared:
        return _template(declared, fields, owner)
    found = _named(declared, declared, fields, owner)
    kinds = found.codec.stored - {"null"}
    if len(kinds) != 1 or not kinds <= _KEY_TYPES.keys():
        raise InvalidArgument(
            f"field {declared!r} of {owner} is stored as {' or '.join(sorted(kinds)) or 'any type'}: a key is a string,"
            " a number or binary"
        )
    return FieldKey(found, _KEY_TYPES[next(iter(kinds))])


def _template(declared: str, fields: Mapping[str, Field], owner: str) -> Template:
    literals = _PLACE.split(declared)
    names, texts = literals[1::2], tuple(literals[0::2])
    if not names or any("{" in text or "}" in text for text in texts):
        raise InvalidArgument(f"the template {declared!r} of {owner} names no field: write fields as {{name}}")
    if "" in texts[1:-1]:
        raise InvalidArgument(
            f"the template {declared!r} of {owner} has two fields with nothing between: separate them"
        )
    found = tuple(_named(name, declared, fields, owner) for name in names)
    for one in found:
        codec = one.codec.present
        if codec.stored != {"string"} and codec.exact is not int:
            raise InvalidArgument(
                f"field {one.name!r} of {owner} can't stand in the template {declared!r}: use a field that is stored as"
                " text, or an int"
            )
    return Template(declared, texts, found)


def _named(name: str, declared: str, fields: Mapping[str, Field], owner: str) -> Field:
    if name in fields:
        return fields[name]
    what = f"{declared!r}" if name == declared else f"{name!r} in the template {declared!r}"
    raise InvalidArgument(f"{what} is no field of {owner}; its fields: {', '.join(fields) or 'none'}")
