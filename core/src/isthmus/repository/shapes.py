"""Shapes: the fields of an attrs class with their codecs, and the two functions generated once for each class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import NOTHING, Factory, field, frozen

from isthmus.errors import IsthmusError
from isthmus.repository.codecs import Codec
from isthmus.repository.misfits import Misfit, given_misfit, stored_misfit

ABSENT: Any = object()
"""Stands for an attribute that a stored map doesn't have."""

FACTORY: Any = type(Factory(list))
"""The class of attrs' factories, whose name is a function to type checkers."""


@frozen(eq=False)
class Field:
    """A field of a class.

    :param name: as the class calls it
    :param stored: as the stored map calls it
    :param alias: as the class's constructor calls it
    :param default: the class's default, an attrs ``Factory`` or ``NOTHING``
    """

    name: str
    stored: str
    alias: str
    codec: Codec
    default: Any = NOTHING

    @property
    def none_left_out(self) -> bool:
        """Whether ``None`` is stored by leaving the attribute out: where reading it gives ``None`` again."""
        return self.codec.nullable and (self.default is None or self.default is NOTHING)

    def encoded(self, value: Any) -> Any:
        """The stored form of a value, ``ABSENT`` where it is not stored."""
        if value is None and self.none_left_out:
            return ABSENT
        if self.codec.empty is not None and not value and isinstance(value, (set, frozenset)):
            return ABSENT
        try:
            return self.codec.encode(value)
        except Misfit as misfit:
            raise misfit.below(self.name) from None

    @property
    def required(self) -> bool:
        """Whether reading an item without the attribute is an error."""
        return self.default is NOTHING and not self.codec.nullable and self.codec.empty is None


@frozen(eq=False)
class Shape:
    """An attrs class as it is stored."""

    kind: type[Any]
    fields: dict[str, Field]
    encode: Callable[[Any], dict[str, Any]] = field(init=False)
    decode: Callable[[Any], Any] = field(init=False)

    @encode.default
    def _generate_encode(self) -> Callable[[Any], dict[str, Any]]:
        return _compiled(self, "encode", _encode_source(self))

    @decode.default
    def _generate_decode(self) -> Callable[[Any], Any]:
        return _compiled(self, "decode", _decode_source(self))

    def codec(self) -> Codec:
        """The codec of values of this class."""
        return Codec(self.kind.__name__, frozenset({"map"}), self.encode, self.decode, target=self)


# A statement of a generated function, with the field that it is about; each takes one line.
Line = tuple[str, Field | None]


def _compiled(shape: Shape, name: str, body: list[Line]) -> Callable[[Any], Any]:
    """The function with that body, with everything that it needs as its globals.

    Its lines tell which field an exception is about, so naming it costs nothing where all is well.
    """
    head: list[Line] = [(f"def {name}(given):", None), ("  try:", None)]
    tail: list[Line] = [("  except Exception as error: raise explain(error) from None", None)]
    lines = [*head, *body, *tail]
    places = {number: about for number, (_text, about) in enumerate(lines, 1)}
    space: dict[str, Any] = {"kind": shape.kind, "absent": ABSENT, "sets": (set, frozenset)}
    space["explain"] = lambda error: _explained(error, places[error.__traceback__.tb_lineno], shape.kind.__name__)
    space["misfit"] = given_misfit if name == "encode" else stored_misfit
    for place, one in enumerate(shape.fields.values()):
        space[f"codec{place}"] = one.codec.encode if name == "encode" else one.codec.decode
        space[f"exact{place}"] = one.codec.exact
        space[f"empty{place}"] = one.codec.empty
        space[f"default{place}"] = one.default.factory if isinstance(one.default, FACTORY) else one.default
    source = "\n".join(text for text, _about in lines)
    exec(compile(source, f"<{name} of {shape.kind.__name__}>", "exec"), space)  # noqa: S102  # made of names of fields
    function: Callable[[Any], Any] = space[name]
    return function


def _explained(error: Exception, about: Field | None, name: str) -> Exception:
    if isinstance(error, Misfit):
        return error if about is None else error.below(about.name)
    if about is not None and isinstance(error, (KeyError, AttributeError)):
        return Misfit("nothing", about.codec.wanted).below(about.name)
    if about is not None and isinstance(error, IsthmusError):
        return error
    # What the class's own validators and converters raise may quote the value.
    return Misfit(f"a map that the class refuses ({type(error).__name__})", name)


def _encode_source(shape: Shape) -> list[Line]:
    lines: list[Line] = [(f"    if type(given) is not kind: raise misfit(given, {shape.kind.__name__!r})", None)]
    lines.append(("    item = {}", None))
    for place, one in enumerate(shape.fields.values()):
        lines.append((f"    v = given.{one.name}", one))
        put = f"item[{one.stored!r}] = codec{place}(v)"
        if one.codec.exact is not None:
            lines.append((f"    if type(v) is not exact{place}: raise misfit(v, {one.codec.wanted!r})", one))
            put = f"item[{one.stored!r}] = v"
        elif one.none_left_out:
            put = f"if v is not None: {put}"
        elif one.codec.empty is not None:
            put = f"if v or type(v) not in sets: {put}"
        lines.append((f"    {put}", one))
    return [*lines, ("    return item", None)]


def _decode_source(shape: Shape) -> list[Line]:
    lines: list[Line] = [(f"    if type(given) is not dict: raise misfit(given, {shape.kind.__name__!r})", None)]
    arguments = []
    late = any(isinstance(one.default, FACTORY) and one.default.takes_self for one in shape.fields.values())
    if late:
        lines.append(("    more = {}", None))
        arguments.append("**more")
    for place, one in enumerate(shape.fields.values()):
        if isinstance(one.default, FACTORY) and one.default.takes_self:
            read = f"more[{one.alias!r}] = codec{place}(given[{one.stored!r}])"
            lines.append((f"    if {one.stored!r} in given: {read}", one))
        else:
            lines += [(text, one) for text in _reading(place, one)]
            arguments.append(f"{one.alias}=v{place}")
    return [*lines, (f"    return kind({', '.join(reversed(arguments))})", None)]


def _reading(place: int, one: Field) -> list[str]:
    """Statements that put a field's value into ``v<place>``."""
    variable, stored = f"v{place}", repr(one.stored)
    if one.required:
        if one.codec.exact is None:
            return [f"    {variable} = codec{place}(given[{stored}])"]
        wanted = repr(one.codec.wanted)
        return [
            f"    {variable} = given[{stored}]",
            f"    if type({variable}) is not exact{place}: raise misfit({variable}, {wanted})",
        ]
    return [
        f"    {variable} = given.get({stored}, absent)",
        f"    {variable} = {_instead(place, one)} if {variable} is absent else codec{place}({variable})",
    ]


def _instead(place: int, one: Field) -> str:
    """What stands for an attribute that is not stored."""
    if one.codec.empty is not None:
        return f"empty{place}()"
    if one.default is NOTHING:
        return "None"
    return f"default{place}()" if isinstance(one.default, FACTORY) else f"default{place}"
