"""Entities and their items: everything between a class and its table that needs no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NoReturn, TypeVar

from isthmus.errors import InvalidArgument, InvalidKey, InvalidStoredValue, InvalidValue
from isthmus.expressions import Condition
from isthmus.expressions import Field as PathField
from isthmus.hints import nearest
from isthmus.repository.field_types import FieldTypes
from isthmus.repository.keys import equalities
from isthmus.repository.layout import layout_of
from isthmus.repository.misfits import Misfit
from isthmus.repository.model import Model
from isthmus.repository.shapes import ABSENT, Field
from isthmus.repository.snapshots import Snapshots
from isthmus.repository.unknown import kept
from isthmus.values import Item, copy_item

T = TypeVar("T")


class Mapper(Generic[T]):
    """One class in one table.

    :param unique_indexes: whether the store has some for the table
    :raises InvalidArgument: the class and its model don't fit each other
    """

    def __init__(self, kind: type[T], model: Model, types: FieldTypes, snapshots: Snapshots,
                 *, unique_indexes: bool = False) -> None:  # fmt: skip
        self.kind = kind
        self.model = model
        self.layout = layout_of(kind, model, types, unique_indexes=unique_indexes)
        self.table = self.layout.table
        self.beside: list[Mapper[Any]] = [self]
        """All mappers of the table that are known, this one included: the registry adds to it."""
        self.snapshots = snapshots
        self.fields = self.layout.shape.fields
        self._encode = self.layout.shape.encode
        self._decode = self.layout.shape.decode
        self._keys = tuple(
            (name, part) for name, part in zip(self.table.key_names, self.layout.keys, strict=False) if part is not None
        )
        self.constants = _constants(model)
        # Everything that this class writes; what else an item has is left alone.
        self.owned = frozenset(
            {one.stored for one in self.fields.values()} | {name for name, _part in self.layout.derived}
            | self.constants.keys()
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The class's name."""
        return self.kind.__name__

    # ---- entities to items ----

    def item(self, entity: T) -> Item:
        """The item of an entity.

        :raises InvalidValue: a field's value is not of the field's type
        """
        try:
            item = self._encode(entity)
        except Misfit as misfit:
            raise self.given(misfit) from None
        for name, part in self.layout.derived:
            value = part.value(item)
            if value is not ABSENT:
                item[name] = value
        item.update(self.constants)
        if self.table.version is not None and item.get(self.table.version) in (0, None):
            item.pop(self.table.version, None)  # it was never stored
        return item

    def kept(self, stored: str, value: Any, old: Item) -> Any:
        """The stored form of a changed field, with what the old one holds beside its class."""
        one = next((one for one in self.fields.values() if one.stored == stored), None)
        return value if one is None or stored not in old else kept(one.codec, value, old[stored])

    def given(self, misfit: Misfit) -> InvalidValue:
        """The error of a value that a caller gave."""
        if not misfit.way:
            return InvalidValue(f"a repository of {self.name} takes {misfit.wanted}, not {misfit.found}")
        return InvalidValue(f"field {misfit.place!r} of {self.name} takes {misfit.wanted}, not {misfit.found}")

    def encoded(self, name: str, value: Any) -> Any:
        """The stored form of one field's value, ``ABSENT`` where it is not stored.

        :raises InvalidArgument: there is no such field
        :raises InvalidValue: the value is not of its type
        """
        try:
            return self.field(name).encoded(value)
        except Misfit as misfit:
            raise self.given(misfit) from None

    def field(self, name: str) -> Field:
        """A field by its name.

        :raises InvalidArgument: there is none
        """
        found = self.fields.get(name)
        return found if found is not None else self._unknown(name)

    def _unknown(self, name: object) -> NoReturn:
        near = nearest(str(name), self.fields)
        hint = f"did you mean {near[0]!r}?" if near else f"its fields: {', '.join(self.fields)}"
        raise InvalidArgument(f"{self.name} has no field {str(name)!r}; {hint}")

    # ---- items to entities ----

    def entity(self, item: Item) -> T:
        """The entity of a stored item, whose snapshot is kept.

        :raises InvalidStoredValue: the item does not fit the class
        """
        today = item
        if self.model.upgrade is not None or self.model.shape is not None:
            today = self._upgraded(item)
        try:
            entity: T = self._decode(today)
        except Misfit as misfit:
            raise self.stored_misfit(misfit, item) from misfit.__cause__
        self.snapshots.keep(self.layout, entity, item, today)
        return entity

    as_stored = entity
    """The same, whatever hooks ``entity`` is given."""

    def is_mine(self, item: Item) -> bool:
        """Whether an item is of this class, in a table with several."""
        model = self.model
        return model.discriminator is None or item.get(model.discriminator_attribute) == model.discriminator

    def stored_misfit(self, misfit: Misfit, item: Item) -> InvalidStoredValue:
        """The error of a stored item that does not fit."""
        if misfit.way:
            text = f"field {misfit.place!r} of {self.name} takes {misfit.wanted}, and {misfit.found} is stored"
        else:
            text = f"{self.name} takes {misfit.wanted}, and {misfit.found} is stored"
        step = "correct the item, or give the model an upgrade= that turns such items into today's"
        error = InvalidStoredValue(f"{text}: {step}")
        error.table, error.key = self.table.name, self._known_key(item)
        return error

    def _known_key(self, item: Item) -> Item:
        return {name: item[name] for name in self.table.key_names if name in item}

    def _upgraded(self, item: Item) -> Item:
        """The item in today's shape.

        :raises InvalidStoredValue: it was written by a later program, or ``upgrade`` failed
        """
        wanted, found = self.model.shape, item.get(self.model.shape_attribute, 1)
        if wanted is not None and found == wanted:
            return item
        if wanted is not None and not (type(found) is int and found < wanted):
            raise self._refused(
                item, f"is of another shape than 1 to {wanted}, so a later program wrote it: update this"
            )
        if self.model.upgrade is None:
            return item
        try:
            today = dict(self.model.upgrade(copy_item(item)))
        except Exception as error:
            raise self._refused(item, f"can't be upgraded ({type(error).__name__}): see the cause") from error
        return today

    def _refused(self, item: Item, text: str) -> InvalidStoredValue:
        error = InvalidStoredValue(f"an item of {self.name} in table {self.table.name!r} {text}")
        error.table, error.key = self.table.name, self._known_key(item)
        return error

    # ---- keys ----

    def key(self, given: tuple[Any, ...], attributes: Mapping[str, Any]) -> Item:
        """The table's key attributes from what a caller gave: see ``Repository.get``.

        :raises InvalidKey: a field is missing, unknown, given twice or of the wrong type
        """
        values = self.key_values(given, attributes, self.layout.key_fields) if given else attributes
        stored = self.stored_key(values, self.layout.key_fields)
        if len(stored) != len(self.layout.key_fields):
            raise self._wrong_key(values, self.layout.key_fields)
        return {name: part.value(stored) for name, part in self._keys}

    def key_of(self, item: Item) -> Item:
        """The key attributes of an item that was made by ``item``."""
        return {name: item[name] for name in self.table.key_names}

    def key_values(
        self, given: tuple[Any, ...], attributes: Mapping[str, Any], fields: tuple[Field, ...]
    ) -> Mapping[str, Any]:
        """Values by the names of fields, from any of the forms that a key is given in."""
        if len(given) == 1 and not attributes and isinstance(given[0], self.kind):
            return {one.name: getattr(given[0], one.name) for one in fields}
        if len(given) == 1 and isinstance(given[0], Mapping):
            return self._joined(given[0], attributes)
        if len(given) == 1 and callable(given[0]):
            return self._joined(equalities(self, given[0]), attributes)
        if len(given) > len(fields):
            raise InvalidKey(f"{self.name} takes {len(fields)} values of a key, not {len(given)}")
        return self._joined({one.name: value for one, value in zip(fields, given, strict=False)}, attributes)

    def _joined(self, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        twice = sorted(values.keys() & attributes.keys())
        if twice:
            raise InvalidKey(f"field {twice[0]!r} of {self.name} is given twice: give it once")
        return {**values, **attributes}

    def stored_key(self, values: Mapping[str, Any], allowed: tuple[Field, ...], index: str | None = None) -> Item:
        """Values of fields of a key by stored name.

        :raises InvalidKey: one is no field of the key, or its value is not of its type
        """
        stored = {}
        for name, value in values.items():
            one = self.fields.get(name)
            if one is None or one not in allowed:
                raise self._wrong_key(values, allowed, index)
            try:
                stored[one.stored] = one.codec.encode(value)
            except Misfit as misfit:
                raise InvalidKey(self.given(misfit.below(name)).message) from None
        return stored

    def _wrong_key(self, values: Mapping[str, Any], fields: tuple[Field, ...], index: str | None = None) -> InvalidKey:
        wanted = " and ".join(repr(one.name) for one in fields)
        unknown = next((name for name in values if name not in self.fields), None)
        near = nearest(unknown, self.fields) if unknown is not None else []
        hint = f"; did you mean {near[0]!r} by {unknown!r}?" if near else ""
        what = self.name if index is None else f"index {index!r} of {self.name}"
        return InvalidKey(f"{what} has the key {wanted}; got {', '.join(map(str, values)) or 'nothing'}{hint}")

    # ---- conditions ----

    def mine(self) -> Condition | None:
        """The condition that keeps writes off other entities' items: there is none, or it is of this class."""
        if self.model.discriminator is None:
            return None
        absent = PathField((self.table.key_names[0],)).not_exists()
        return absent | (PathField((self.model.discriminator_attribute,)) == self.model.discriminator)

    def only_mine(self) -> Condition | None:
        """The condition that keeps other entities' items out of selections."""
        if self.model.discriminator is None:
            return None
        return PathField((self.model.discriminator_attribute,)) == self.model.discriminator


def _constants(model: Model) -> dict[str, Any]:
    """What each item of a class holds."""
    constants: dict[str, Any] = {}
    if model.discriminator is not None:
        constants[model.discriminator_attribute] = model.discriminator
    if model.shape is not None:
        constants[model.shape_attribute] = model.shape
    return constants
