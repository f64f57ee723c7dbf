"""What is declared for a class of records: table, keys, constraints. A class carries it as ``__isthmus__``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from isthmus.errors import InvalidArgument
from isthmus.schema import Index, Table
from isthmus.values import check_key_name

Upgrade = Callable[[dict[str, Any]], Mapping[str, Any]]

ATTRIBUTE = "__isthmus__"
"""The class attribute that holds a class's model."""


def _constraints(unique: Iterable[str | Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    if isinstance(unique, str) or not isinstance(unique, Iterable):
        raise InvalidArgument('unique is declared by a list of field names or of tuples of them: write ["email"]')
    found = tuple((names,) if isinstance(names, str) else tuple(names) for names in unique)
    if () in found or len(set(found)) < len(found) or any(len(set(names)) < len(names) for names in found):
        raise InvalidArgument("a unique constraint names at least one field, and nothing is named twice")
    return found


def _indexes(indexes: Iterable[Index]) -> tuple[Index, ...]:
    declared = tuple(indexes)
    if not all(isinstance(index, Index) for index in declared):
        raise InvalidArgument("indexes of a model are declared by a list of Index objects, whose keys may be templates")
    return declared


def _stamps(timestamps: bool | tuple[str, str] | None) -> tuple[str, str] | None:
    if timestamps is None or isinstance(timestamps, bool):
        return ("created_at", "updated_at") if timestamps else None
    created, updated = timestamps
    return check_key_name(created), check_key_name(updated)


@frozen
class Model:
    """How a class is stored.

    A key is the name of a field, or a template: text with names of fields in braces, such as ``"ORG#{org}"``. The
    fields of a template are stored as well, so nothing is ever read out of a key.

    :param table: the table's name, or a ``Table``, which several models may share; with a name the table is derived,
        and the keys of templates are the attributes ``pk`` and ``sk``
    :param indexes: indexes whose keys are fields or templates; the key attributes of templates are called
        ``<index>_pk`` and ``<index>_sk`` in a derived table
    :param discriminator: what tells this class's items from others in the table; written to ``discriminator_attribute``
    :param unique: fields, or tuples of fields, whose values no two items share; ``None`` is not a value
    :param ttl: the field or attribute that holds the expiry time; a field may be a number of seconds or a ``datetime``
    :param version: the field or attribute that counts versions
    :param timestamps: whether to maintain ``created_at`` and ``updated_at``, or the names of two others
    :param names: stored names of fields that are not stored under their own
    :param upgrade: turns a stored item of an older shape into one of today's; called when it is read
    :param shape: the number of today's shape, written into ``shape_attribute``; without it ``upgrade`` sees each item
    """

    table: str | Table
    partition_key: str
    sort_key: str | None = None
    indexes: tuple[Index, ...] = field(default=(), converter=_indexes, kw_only=True)
    discriminator: str | None = field(default=None, kw_only=True)
    discriminator_attribute: str = field(default="type", kw_only=True, converter=check_key_name)
    unique: tuple[tuple[str, ...], ...] = field(default=(), converter=_constraints, kw_only=True)
    ttl: str | None = field(default=None, kw_only=True)
    version: str | None = field(default=None, kw_only=True)
    timestamps: tuple[str, str] | None = field(default=None, converter=_stamps, kw_only=True)
    names: Mapping[str, str] = field(factory=dict, kw_only=True)
    upgrade: Upgrade | None = field(default=None, kw_only=True)
    shape: int | None = field(default=None, kw_only=True)
    shape_attribute: str = field(default="shape", kw_only=True, converter=check_key_name)

    def __attrs_post_init__(self) -> None:
        declared: tuple[object, ...] = (self.partition_key, "" if self.sort_key is None else self.sort_key)
        if not all(isinstance(key, str) for key in declared):
            raise InvalidArgument("a key of a model is the name of a field or a template such as 'ORG#{org}'")
        if self.upgrade is not None and not callable(self.upgrade):
            raise InvalidArgument("upgrade is a function that takes a stored item and gives one of today's shape")
        if self.shape is not None and (type(self.shape) is not int or self.shape < 1):
            raise InvalidArgument("shape is a positive integer: the number of today's shape of the stored items")

    @property
    def table_name(self) -> str:
        """The table's name."""
        return self.table if isinstance(self.table, str) else self.table.name


def model_of(kind: type[Any], model: Model | None) -> Model:
    """The model that is given for a class, or the one that the class carries.

    :raises InvalidArgument: there is none, or it is no ``Model``
    """
    found = model if model is not None else getattr(kind, "__dict__", {}).get(ATTRIBUTE)
    if isinstance(found, Model):
        return found
    name = getattr(kind, "__name__", type(kind).__name__)
    raise InvalidArgument(
        f"class {name} has no keys: declare {ATTRIBUTE} = Model(table=…, partition_key=…) in it, or give model="
    )
