"""Which codec a field's annotation leads to; what has none is refused when the class is declared (rule REP-3)."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Literal, NewType, NoReturn, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter
from cattrs.errors import StructureHandlerNotFoundError

from isthmus.errors import InvalidArgument
from isthmus.repository.codecs import ANY, SCALARS, Codec, enum_codec, literal_codec
from isthmus.repository.containers import (
    TAG,
    lazily,
    map_codec,
    optional_codec,
    sequence_codec,
    set_codec,
    tagged_union,
    union_by_type,
)
from isthmus.repository.misfits import Misfit, given_misfit, stored_misfit
from isthmus.repository.shapes import Field, Shape
from isthmus.values import check_name, copy_value, normalise

_SUPPORTED = (
    "str, int, float, Decimal, bool, bytes, datetime, date, UUID, Enum, Literal, Optional, list, tuple[X, ...], set,"
    " frozenset, dict[str, X], attrs classes, unions of these"
)


class FieldTypes:
    """Finds codecs; classes that were seen are remembered.

    :param converter: the database's, which knows the types that plugins and callers registered
    """

    def __init__(self, converter: Converter) -> None:
        self._converter = converter
        self._shapes: dict[type, Shape] = {}
        self._building: set[type] = set()

    def shape(
        self,
        kind: type[Any],
        names: Mapping[str, str] = MappingProxyType({}),
        replaced: Mapping[str, Codec] = MappingProxyType({}),
    ) -> Shape:  # never changed
        """The shape of an attrs class.

        :param names: stored names of fields, where they differ
        :param replaced: codecs of fields that are not stored as their types usually are
        :raises InvalidArgument: it is none, or has a field that can't be stored
        """
        if not attrs.has(kind):
            name = getattr(kind, "__name__", type(kind).__name__)
            raise InvalidArgument(f"{name} is no attrs class: decorate it with attrs.define or attrs.frozen")
        hints = self._hints(kind)
        fields = {}
        for attribute in attrs.fields(kind):
            if attribute.init:
                stored = names.get(attribute.name, attribute.name)
                codec = replaced.get(attribute.name) or self._codec(hints[attribute.name], kind, attribute.name)
                fields[attribute.name] = Field(
                    attribute.name, check_name(stored), attribute.alias or attribute.name, codec, attribute.default
                )
        return Shape(kind, fields)

    def _hints(self, kind: type[Any]) -> dict[str, Any]:
        try:
            hints = get_type_hints(kind, include_extras=True)
        except Exception as error:
            raise InvalidArgument(
                f"the annotations of class {kind.__name__} can't be resolved ({type(error).__name__}): its types must"
                " be importable where the class is defined"
            ) from error
        for attribute in attrs.fields(kind):
            if hints.setdefault(attribute.name, attribute.type) is None:
                raise InvalidArgument(f"field {attribute.name!r} of {kind.__name__} has no type: annotate it")
        return hints

    def _codec(self, hint: Any, owner: type, name: str) -> Codec:
        hint = _plain(hint)
        if hint is Any:
            return ANY
        found = self._registered(hint) or SCALARS.get(hint if _hashable(hint) else None)
        if found is None:
            found = self._composed(hint, owner, name)
        return found or _refuse(hint, owner, name)

    def _composed(self, hint: Any, owner: type, name: str) -> Codec | None:
        origin = get_origin(hint) or hint
        if origin in (Union, types.UnionType):
            return self._union(get_args(hint), owner, name)
        if origin is Literal:
            return literal_codec(get_args(hint))
        if isinstance(origin, type) and issubclass(origin, Enum):
            return enum_codec(origin)
        if isinstance(origin, type) and attrs.has(origin):
            return self._nested(origin)
        return self._container(origin, get_args(hint), owner, name)

    def _container(self, origin: Any, arguments: tuple[Any, ...], owner: type, name: str) -> Codec | None:
        if origin is tuple:
            if len(arguments) != 2 or arguments[1] is not Ellipsis:
                return None
            return sequence_codec(tuple, self._codec(arguments[0], owner, name))
        if origin is dict:
            key, value = arguments or (str, Any)
            return map_codec(self._codec(value, owner, name)) if _plain(key) is str else None
        if origin in (list, set, frozenset):
            member = self._codec(arguments[0], owner, name) if arguments else ANY
            return sequence_codec(list, member) if origin is list else set_codec(origin, member)
        return None

    def _nested(self, kind: type) -> Codec:
        if kind in self._building:
            return lazily(partial(self._known, kind), kind.__name__)
        if kind not in self._shapes:
            self._building.add(kind)
            try:
                self._shapes[kind] = self.shape(kind)
            finally:
                self._building.discard(kind)
        return self._shapes[kind].codec()

    def _known(self, kind: type) -> Codec:
        return self._shapes[kind].codec()

    def _union(self, members: tuple[Any, ...], owner: type, name: str) -> Codec | None:
        kinds = [_plain(member) for member in members if member is not type(None)]
        if len(kinds) == 1:
            inner: Codec | None = self._codec(kinds[0], owner, name)
        else:
            codecs = {get_origin(kind) or kind: self._codec(kind, owner, name) for kind in kinds}
            inner = self._united(codecs) if len(codecs) == len(kinds) else None
        return optional_codec(inner) if inner is not None and type(None) in members else inner

    def _united(self, codecs: dict[Any, Codec]) -> Codec | None:
        if not all(isinstance(kind, type) for kind in codecs):
            return None
        if all(attrs.has(kind) for kind in codecs):
            tagged = any(TAG in codec.target.fields for codec in codecs.values() if isinstance(codec.target, Shape))
            distinct = len({kind.__name__ for kind in codecs}) == len(codecs)
            return tagged_union(codecs) if distinct and not tagged else None
        return union_by_type(codecs)

    def _registered(self, hint: Any) -> Codec | None:
        """The codec of a class of somebody else's, by the hooks that were registered for exactly it."""
        if not isinstance(hint, type) or hint in SCALARS or hint.__module__ == "builtins" or attrs.has(hint):
            return None
        if issubclass(hint, Enum) or get_origin(hint) is not None:
            return None
        try:
            structure = self._converter.get_structure_hook(hint)
        except StructureHandlerNotFoundError:
            return None
        return _by_hooks(hint, structure, self._converter.get_unstructure_hook(hint))


def _by_hooks(kind: type, structure: Any, unstructure: Any) -> Codec:
    def encode(value: Any) -> Any:
        if not isinstance(value, kind):
            raise given_misfit(value, kind.__name__)
        return normalise(unstructure(value))  # a copy: what it came from may change before the entity is saved

    def decode(value: Any) -> Any:
        try:
            # What a hook keeps of the value must not be what the snapshot holds.
            return structure(copy_value(value), kind)
        except Misfit:
            raise
        except Exception:
            raise stored_misfit(value, kind.__name__) from None

    return Codec(kind.__name__, frozenset(), encode, decode)


def _plain(hint: Any) -> Any:
    """The hint without what says nothing about how it is stored."""
    while True:
        if isinstance(hint, NewType):
            hint = hint.__supertype__
        elif get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def _hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _refuse(hint: Any, owner: type, name: str) -> NoReturn:
    text = hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)
    raise InvalidArgument(
        f"field {name!r} of {owner.__name__} has the type {text.replace('typing.', '')}, which can't be"
        f" stored: use {_SUPPORTED}, or register the type in a plugin's isthmus_register_types"
    )
