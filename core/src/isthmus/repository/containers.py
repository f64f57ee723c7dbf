"""Codecs of values that hold others: lists, sets, maps, optional values and unions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import length_hint
from typing import Any, Final

from isthmus.repository.codecs import Codec, Convert
from isthmus.repository.misfits import Misfit, given_misfit, stored_misfit
from isthmus.values import type_name

TAG: Final = "_type"
"""The attribute of a stored map that says which class of a union it is."""

_SET_TYPES: Final = {"string": "string_set", "number": "number_set", "binary": "binary_set"}


def _each(convert: Convert, members: Sequence[Any]) -> list[Any]:
    """All members converted; a misfit says at which place it stands."""
    rest = iter(members)
    try:
        return [convert(member) for member in rest]
    except Misfit as misfit:
        raise misfit.below(len(members) - length_hint(rest) - 1) from None


def sequence_codec(kind: type[list[Any] | tuple[Any, ...]], member: Codec) -> Codec:
    """A list or a tuple of any length, stored as a list."""
    wanted = f"{kind.__name__}[{member.wanted}]"
    plain = {member.exact}

    def encode(value: Any) -> list[Any]:
        if type(value) is not kind:
            raise given_misfit(value, wanted)
        return _each(member.encode, value)

    def decode(value: Any) -> Any:
        if type(value) is not list:
            raise stored_misfit(value, wanted)
        found = value.copy() if set(map(type, value)) == plain else _each(member.decode, value)
        return found if kind is list else tuple(found)

    return Codec(wanted, frozenset({"list"}), encode, decode, target=member)


def set_codec(kind: type[set[Any] | frozenset[Any]], member: Codec) -> Codec | None:
    """A set, or ``None`` where its members can't be members of a stored set."""
    stored = {_SET_TYPES.get(name) for name in member.stored}
    if len(stored) != 1 or None in stored or member.nullable:
        return None
    wanted = f"{kind.__name__}[{member.wanted}]"
    plain = {member.exact}

    def encode(value: Any) -> Any:
        if type(value) is not set and type(value) is not frozenset:
            raise given_misfit(value, wanted)
        # There is no empty set in a store; a list stands for it where leaving it out would lose its place.
        return frozenset(map(member.encode, value)) or []

    def decode(value: Any) -> Any:
        if type(value) is not frozenset and value != []:
            raise stored_misfit(value, wanted)
        return kind(value if set(map(type, value)) == plain else map(member.decode, value))

    return Codec(wanted, frozenset(map(str, stored)), encode, decode, empty=kind, target=member)


def map_codec(member: Codec) -> Codec:
    """A dictionary by text, stored as a map."""
    wanted = f"dict[str, {member.wanted}]"

    def convert(entries: Mapping[str, Any], one: Convert) -> dict[str, Any]:
        found = {}
        for name, value in entries.items():
            try:
                found[name] = one(value)
            except Misfit as misfit:
                raise misfit.below(name) from None
        return found

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not dict or not all(type(name) is str for name in value):
            raise given_misfit(value, wanted)
        return convert(value, member.encode)

    def decode(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise stored_misfit(value, wanted)
        return convert(value, member.decode)

    return Codec(wanted, frozenset({"map"}), encode, decode, target=member)


def optional_codec(inner: Codec) -> Codec:
    """A value or ``None``, which is stored as null where it can't be left out."""
    encode_inner, decode_inner = inner.encode, inner.decode

    def encode(value: Any) -> Any:
        return None if value is None else encode_inner(value)

    def decode(value: Any) -> Any:
        return None if value is None else decode_inner(value)

    return Codec(
        f"{inner.wanted} | None", inner.stored | {"null"}, encode, decode, nullable=True, target=inner,
        fixed_width=inner.fixed_width,
    )  # fmt: skip


def union_by_type(members: Mapping[type, Codec]) -> Codec | None:
    """A union whose members are told apart by how they are stored; ``None`` where they can't be."""
    places: dict[str, Codec] = {}
    for codec in members.values():
        # An empty set has no type of its own, so nothing tells it from others.
        if not codec.stored or codec.nullable or codec.empty or places.keys() & codec.stored:
            return None
        places.update(dict.fromkeys(codec.stored, codec))
    wanted = " | ".join(codec.wanted for codec in members.values())

    def encode(value: Any) -> Any:
        codec = members.get(type(value))
        if codec is None:
            raise given_misfit(value, wanted)
        return codec.encode(value)

    def decode(value: Any) -> Any:
        codec = places.get(type_name(value))
        if codec is None:
            raise stored_misfit(value, wanted)
        return codec.decode(value)

    return Codec(wanted, frozenset(places), encode, decode)


def tagged_union(members: Mapping[type, Codec]) -> Codec:
    """A union of attrs classes: the stored map holds the class's name."""
    names: dict[str, Codec] = {kind.__name__: codec for kind, codec in members.items()}
    wanted = " | ".join(names)

    def encode(value: Any) -> dict[str, Any]:
        codec = members.get(type(value))
        if codec is None:
            raise given_misfit(value, wanted)
        return {**codec.encode(value), TAG: type(value).__name__}

    def decode(value: Any) -> Any:
        if type(value) is not dict:
            raise stored_misfit(value, wanted)
        tag = value.get(TAG)
        codec = names.get(tag) if type(tag) is str else None
        if codec is None:
            raise Misfit(f"a map whose {TAG!r} names none of them", wanted)
        return codec.decode(value)

    return Codec(wanted, frozenset({"map"}), encode, decode, target=tuple(members.values()))


def lazily(find: Callable[[], Codec], wanted: str) -> Codec:
    """A class that holds itself: its codec is looked up when it is used."""
    return Codec(
        wanted, frozenset({"map"}), lambda value: find().encode(value), lambda value: find().decode(value), target=find
    )
