"""How entities of one class lie in their table: the derived ``Table``, its keys and what else an item holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from isthmus.errors import InvalidArgument
from isthmus.repository.codecs import EXPIRY, SCALARS, Codec
from isthmus.repository.containers import optional_codec
from isthmus.repository.field_types import FieldTypes
from isthmus.repository.model import Model
from isthmus.repository.shapes import Field, Shape
from isthmus.repository.templates import FieldKey, Template, key_part
from isthmus.repository.unique_indexes import constraints_of
from isthmus.schema import Index, Key, Table, Unique
from isthmus.values import check_name

Part = FieldKey | Template
Pair = tuple[Part, Part | None]


@frozen(eq=False)
class Layout:
    """A class's place in a table.

    :param keys: how the table's key attributes are made
    :param indexes: the same for the indexes that the model names
    :param derived: key attributes that are no field's own, with how each is made
    :param unique: the model's unique constraints, where indexes of the store keep them
    """

    shape: Shape
    table: Table
    keys: Pair
    indexes: Mapping[str, Pair]
    derived: tuple[tuple[str, Part], ...]
    unique: tuple[Unique, ...] = ()
    key_fields: tuple[Field, ...] = field(init=False)

    @key_fields.default
    def _fields_of_keys(self) -> tuple[Field, ...]:
        return fields_of(self.keys)


def fields_of(pair: Pair) -> tuple[Field, ...]:
    """The fields that two keys are made of, each once, in order."""
    found = [one for part in pair if part is not None for one in part.fields]
    return tuple(dict.fromkeys(found))


def layout_of(kind: type[Any], model: Model, types: FieldTypes, *, unique_indexes: bool = False) -> Layout:
    """The layout that a model declares for a class.

    :param unique_indexes: whether the store has some for the table
    :raises InvalidArgument: the class and its model don't fit each other
    """
    shape = _shape(kind, model, types)
    owner = kind.__name__
    keys = _pair(model.partition_key, model.sort_key, shape, owner)
    for one in fields_of(keys):
        if one.codec.nullable:
            raise InvalidArgument(f"field {one.name!r} of {owner} may be None: a key always has a value")
    pairs = {index.name: _index_pair(index, shape, owner) for index in model.indexes}
    table = _given(model, keys, pairs, owner) if isinstance(model.table, Table) else _derived(model, keys, pairs, shape)
    unique = constraints_of(model, shape, table) if unique_indexes else ()
    if unique:
        table = evolve(table, unique=dict.fromkeys((*table.unique, *unique)))
    layout = Layout(shape, table, keys, pairs, _extra(table, keys, pairs), unique)
    _check(layout, model, owner)
    return layout


def _shape(kind: type[Any], model: Model, types: FieldTypes) -> Shape:
    shape = types.shape(kind, model.names)
    for name in (*model.names, *(name for constraint in model.unique for name in constraint)):
        if name not in shape.fields:
            raise InvalidArgument(f"the model of {kind.__name__} names {name!r}, which is none of its fields")
    ttl = model.table.ttl if isinstance(model.table, Table) else _stored(model.ttl, shape)
    expiry = _expiry(next((one for one in shape.fields.values() if one.stored == ttl), None), kind)
    return types.shape(kind, model.names, expiry) if expiry else shape


def _expiry(one: Field | None, kind: type[Any]) -> dict[str, Codec]:
    """The codec of an expiry field, where it holds a moment: the store wants seconds."""
    if one is None:
        return {}
    if one.codec is SCALARS[SCALARS_MOMENT]:
        return {one.name: EXPIRY}
    if one.codec.nullable and one.codec.target is SCALARS[SCALARS_MOMENT]:
        return {one.name: optional_codec(EXPIRY)}
    if one.codec.stored - {"null"} != {"number"}:
        raise InvalidArgument(
            f"field {one.name!r} of {kind.__name__} can't be an expiry time: use datetime, or a number of seconds"
        )
    return {}


SCALARS_MOMENT = next(one for one in SCALARS if one.__name__ == "datetime")


def _pair(partition: str, sort: str | None, shape: Shape, owner: str) -> Pair:
    return key_part(partition, shape.fields, owner), None if sort is None else key_part(sort, shape.fields, owner)


def _index_pair(index: Index, shape: Shape, owner: str) -> Pair:
    pair = _pair(index.partition_key.name, index.sort_key.name if index.sort_key else None, shape, owner)
    for part in pair:
        if isinstance(part, FieldKey) and part.field.codec.nullable and not part.field.none_left_out:
            raise InvalidArgument(
                f"field {part.field.name!r} of {owner} is a key of index {index.name!r} and may be None: give it no"
                " other default than None"
            )
    return pair


def _derived(model: Model, keys: Pair, pairs: Mapping[str, Pair], shape: Shape) -> Table:
    names = _names(keys, ("pk", "sk"))
    indexes = [
        Index(index.name, *_named(pairs[index.name], (f"{index.name}_pk", f"{index.name}_sk")),
              projection=index.projection)
        for index in model.indexes
    ]  # fmt: skip
    stamps = [_stored(name, shape) for name in model.timestamps or (None, None)]
    return Table(
        model.table_name,
        *_keys(keys, names),
        indexes,
        _stored(model.ttl, shape),
        _stored(model.version, shape),
        *stamps,
    )


def _stored(name: str | None, shape: Shape) -> str | None:
    return shape.fields[name].stored if name in shape.fields else name


def _names(pair: Pair, instead: tuple[str, str]) -> tuple[str, str]:
    names = [
        part.field.stored if isinstance(part, FieldKey) else name for part, name in zip(pair, instead, strict=True)
    ]
    return names[0], names[1]


def _keys(pair: Pair, names: tuple[str, str]) -> tuple[Key, Key | None]:
    partition, sort = pair
    return Key(names[0], partition.type), None if sort is None else Key(names[1], sort.type)


def _named(pair: Pair, instead: tuple[str, str]) -> tuple[Key, Key | None]:
    return _keys(pair, _names(pair, instead))


def _given(model: Model, keys: Pair, pairs: Mapping[str, Pair], owner: str) -> Table:
    table = model.table
    assert isinstance(table, Table)
    _fit(keys, table.partition_key, table.sort_key, f"table {table.name!r}", owner)
    for name, pair in pairs.items():
        index = table.index(name)
        _fit(pair, index.partition_key, index.sort_key, f"index {name!r} of table {table.name!r}", owner)
    wanted = (model.ttl, model.version, *(model.timestamps or (None, None)))
    there = (table.ttl, table.version, table.created_at, table.updated_at)
    for name, stored in zip(wanted, there, strict=True):
        if name is not None and stored != model.names.get(name, name):
            raise InvalidArgument(
                f"the model of {owner} declares {name!r}, which its table {table.name!r} does not: declare it in Table"
            )
    return table


def _fit(pair: Pair, partition: Key, sort: Key | None, what: str, owner: str) -> None:
    if (pair[1] is None) != (sort is None):
        raise InvalidArgument(f"{owner} and {what} don't agree on whether there is a sort key")
    for part, key in zip(pair, (partition, sort), strict=True):
        if part is not None and key is not None and part.type != key.type:
            raise InvalidArgument(f"key {key.name!r} of {what} is a {key.type}, and a {part.type} in {owner}")


def _extra(table: Table, keys: Pair, pairs: Mapping[str, Pair]) -> tuple[tuple[str, Part], ...]:
    places = list(zip((table.partition_key, table.sort_key), keys, strict=True))
    for name, pair in pairs.items():
        index = table.index(name)
        places += zip((index.partition_key, index.sort_key), pair, strict=True)
    found: dict[str, Part] = {}
    for key, part in places:
        if key is not None and part is not None and not (isinstance(part, FieldKey) and part.field.stored == key.name):
            found.setdefault(key.name, part)
    return tuple(found.items())


def _check_maintained(layout: Layout, owner: str) -> None:
    """Fields that Isthmus maintains are of the types that it writes."""
    table = layout.table
    for one in layout.shape.fields.values():
        codec = one.codec.present
        if one.stored == table.version and codec.exact is not int:
            raise InvalidArgument(f"field {one.name!r} of {owner} counts versions: declare it as int")
        if one.stored in (table.created_at, table.updated_at) and codec.stored != {"string"}:
            raise InvalidArgument(f"field {one.name!r} of {owner} is a timestamp: declare it as datetime | None = None")


def _check(layout: Layout, model: Model, owner: str) -> None:
    """No two things of an item under one name."""
    fields = [one.stored for one in layout.shape.fields.values()]
    extra = [name for name, _part in layout.derived]
    extra += [model.discriminator_attribute] if model.discriminator is not None else []
    extra += [model.shape_attribute] if model.shape is not None else []
    names = fields + extra
    twice = sorted(name for name in set(names) if names.count(name) > 1)
    if twice:
        raise InvalidArgument(f"{owner} would store two things as {twice[0]!r}: give one of them another name")
    for name in names:
        check_name(name, top_level=True)
    _check_maintained(layout, owner)
    managed = layout.table.managed | {layout.table.ttl}
    both = sorted(set(extra) & managed)
    if both:
        raise InvalidArgument(f"{owner} would store two things as {both[0]!r}: give one of them another name")
