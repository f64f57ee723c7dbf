"""Changes that a caller asks for by the names of fields, or by a lambda: ``set=lambda u: evolve(u, age=u.age + 1)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from attrs import field, frozen

from isthmus.errors import InvalidArgument
from isthmus.expressions import Add, Append, Delete, Prepend
from isthmus.expressions import Field as PathField
from isthmus.repository.mapper import Mapper
from isthmus.repository.misfits import Misfit
from isthmus.repository.recorder import Recorder, path_of, recorder_of
from isthmus.repository.shapes import ABSENT, Field

_ARGUMENTS = {Add: "add", Append: "append", Prepend: "prepend", Delete: "delete"}


@frozen
class Assignments:
    """An update by stored names.

    :param put: values of top-level attributes
    :param gone: attributes that are removed
    :param others: further arguments of :func:`isthmus.expressions.changes`, by their names
    """

    put: dict[str, Any] = field(factory=dict)
    gone: set[str] = field(factory=set)
    others: dict[str, dict[Any, Any]] = field(factory=dict)

    def wanted(self) -> dict[str, Any]:
        """The arguments of an update."""
        values = {PathField((name,)): value for name, value in self.put.items()}
        found: dict[str, Any] = {**self.others, "set": {**values, **self.others.get("set", {})}}
        found["remove"] = [PathField((name,)) for name in sorted(self.gone)]
        return {name: part for name, part in found.items() if part}

    @property
    def computed(self) -> set[str]:
        """The attributes whose new value only the store will know."""
        return {str(target._operand().path[0]) for part in self.others.values() for target in part}  # noqa: SLF001  # ours

    @property
    def touched(self) -> set[str]:
        """All attributes that change."""
        return self.put.keys() | self.gone | self.computed

    def assign(self, one: Field, value: Any) -> None:
        """Put the stored form of a field's value, or remove it where it is not stored."""
        stored = one.encoded(value)
        if stored is ABSENT:
            self.gone.add(one.stored)
        else:
            self.put[one.stored] = stored


def assignments(
    mapper: Mapper[Any],
    set_: Mapping[Any, Any] | Callable[[Any], Any] | None,
    add: Mapping[Any, Any] | None,
    remove: Iterable[Any] | None,
) -> Assignments:
    """What is asked, checked against the fields of the class.

    :raises InvalidArgument: a field is unknown or can't be removed
    :raises InvalidValue: a value is not of its field's type
    """
    found = Assignments()
    try:
        if callable(set_):
            _record(mapper, set_, found)
        else:
            for target, value in (set_ or {}).items():
                _set(mapper, target, value, found)
        for target, value in (add or {}).items():
            _add(mapper, target, value, found)
    except Misfit as misfit:
        raise mapper.given(misfit) from None
    for target in [remove] if isinstance(remove, (str, PathField)) else remove or ():
        _remove(mapper, target, found)
    return found


def _set(mapper: Mapper[Any], target: Any, value: Any, found: Assignments) -> None:
    if isinstance(target, PathField):
        found.others.setdefault("set", {})[target] = value
    else:
        found.assign(mapper.field(target), value)


def _add(mapper: Mapper[Any], target: Any, value: Any, found: Assignments) -> None:
    place = found.others.setdefault("add", {})
    if isinstance(target, PathField):
        place[target] = value
        return
    one = mapper.field(target)
    try:
        place[PathField((one.stored,))] = one.codec.encode(value)
    except Misfit as misfit:
        raise misfit.below(target) from None


def _remove(mapper: Mapper[Any], target: Any, found: Assignments) -> None:
    if isinstance(target, PathField):
        raise InvalidArgument("remove= takes names of fields; a part of one is removed through the table")
    one = mapper.field(target)
    if one.required:
        raise InvalidArgument(f"field {one.name!r} of {mapper.name} has no default, so it can't be removed: set it")
    found.gone.add(one.stored)


def _record(mapper: Mapper[Any], change: Callable[[Any], Any], found: Assignments) -> None:
    """Call the lambda with a stand-in of the same fields, and look which of them it replaced."""
    stand_in = _stand_in(mapper)
    try:
        changed = change(stand_in)
    except attrs.exceptions.NotAnAttrsClassError:
        raise InvalidArgument(
            "evolve() is recorded for the whole entity only: set a nested value whole, or one part of it by"
            " set={F.address.city: …}"
        ) from None
    except TypeError as error:
        raise InvalidArgument(f"set= names what {mapper.name} does not have, or can't change: {error}") from error
    if type(changed) is not type(stand_in):
        raise InvalidArgument("set= as a function gives a changed entity, as in set=lambda u: evolve(u, age=u.age + 1)")
    for one in mapper.fields.values():
        value = getattr(changed, one.name)
        if value is not getattr(stand_in, one.name):
            _replace(mapper, one, value, found)


def _replace(mapper: Mapper[Any], one: Field, value: Any, found: Assignments) -> None:
    target = PathField((one.stored,))
    if isinstance(value, Recorder):
        found.others.setdefault("copy", {})[target] = PathField(path_of(value))
        return
    argument = _ARGUMENTS.get(type(value))
    if argument is None:
        found.assign(one, value)
        return
    if value.path != (one.stored,):
        raise InvalidArgument(
            f"field {one.name!r} of {mapper.name} is computed from another one: only copies can be so"
        )
    found.others.setdefault(argument, {})[target] = value.value


def _stand_in(mapper: Mapper[Any]) -> Any:
    """An attrs object with a recorder for each field, which ``evolve`` takes for an entity."""
    fields = {one.name: attrs.field(alias=one.alias) for one in mapper.fields.values()}
    kind = attrs.make_class(mapper.name, fields, eq=False, order=False, repr=False)
    whole = recorder_of(mapper.name, mapper.layout.shape)
    return kind(**{one.alias: getattr(whole, one.name) for one in mapper.fields.values()})
