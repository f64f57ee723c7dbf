"""What a stored value holds beside its class, at any depth: saving an entity leaves it where it is (rule REP-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.repository.codecs import Codec
from isthmus.repository.containers import TAG
from isthmus.repository.shapes import Shape
from isthmus.values import canonical_bytes


def kept(codec: Codec, new: Any, old: Any) -> Any:
    """The new stored form of a value, with the attributes of the old one that the class does not know.

    A value that the class reads as the new one is left alone. Members of lists keep theirs where they are the same, or
    changed in their place.
    """
    codec = codec.present
    if _unchanged(codec, new, old):
        return old
    if type(new) is dict and type(old) is dict:
        return _kept_map(codec, new, old)
    if type(new) is list and type(old) is list and isinstance(codec.target, Codec):
        return _kept_list(codec.target, new, old)
    return new


def _unchanged(codec: Codec, new: Any, old: Any) -> bool:
    form = _form(codec, old)
    return form is not None and form == canonical_bytes(new)


def _form(codec: Codec, old: Any) -> bytes | None:
    """The bytes of an old value as it would be stored today; ``None`` where the class does not take it."""
    try:
        return canonical_bytes(codec.encode(codec.decode(old)))
    except Exception:  # the class's own validators and converters raise what they like
        return None


def _kept_map(codec: Codec, new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    if isinstance(codec.target, Codec):
        return {name: kept(codec.target, value, old[name]) if name in old else value for name, value in new.items()}
    shape = _shape(codec, new, old)
    if shape is None:
        return new
    codecs = {one.stored: one.codec for one in shape.fields.values()}
    beside: Mapping[str, Any] = {name: value for name, value in old.items() if name not in codecs}
    inside = {
        name: kept(codecs[name], value, old[name]) if name in codecs and name in old else value
        for name, value in new.items()
    }
    return {**beside, **inside}


def _shape(codec: Codec, new: dict[str, Any], old: dict[str, Any]) -> Shape | None:
    """The class of both maps; ``None`` where they are of different classes, or of none."""
    target = codec.target
    if callable(target) and not isinstance(target, Shape):
        target = target().target
    if isinstance(target, tuple):
        shapes = [one.target for one in target if isinstance(one.target, Shape)]
        same = new.get(TAG) == old.get(TAG)
        target = next((one for one in shapes if same and one.kind.__name__ == new.get(TAG)), None)
    return target if isinstance(target, Shape) else None


def _kept_list(member: Codec, new: list[Any], old: list[Any]) -> list[Any]:
    if not member.stored & {"map", "list"}:
        return new
    forms = [_form(member, value) for value in old]
    wanted = [canonical_bytes(value) for value in new]
    # Their own places come first: members may be equal.
    same = {place: place for place, (form, one) in enumerate(zip(forms, wanted, strict=False)) if form == one}
    places: dict[bytes | None, list[int]] = {}
    for place in sorted(set(range(len(old))) - same.keys(), reverse=True):
        places.setdefault(forms[place], []).append(place)
    for place, one in enumerate(wanted):
        if place not in same and places.get(one):
            same[place] = places[one].pop()
    changed = set(range(len(new))) - same.keys() if len(new) == len(old) else set()
    changed -= set(same.values())
    return [
        old[same[place]] if place in same else kept(member, value, old[place]) if place in changed else value
        for place, value in enumerate(new)
    ]
