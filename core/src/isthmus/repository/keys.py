"""Keys given as a lambda: ``lambda u: (u.org == "acme") & (u.id == "7")``, so that type checkers see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isthmus.errors import InvalidKey

if TYPE_CHECKING:
    from isthmus.repository.mapper import Mapper


class KeyRecorder:
    """Takes down which field equals what."""

    __slots__ = ("_mapper",)

    def __init__(self, mapper: Mapper[Any]) -> None:
        object.__setattr__(self, "_mapper", mapper)

    def __getattr__(self, name: str) -> KeyField:
        mapper = object.__getattribute__(self, "_mapper")
        mapper.field(name)
        return KeyField(name)


class KeyField:
    """One field, waiting for its value."""

    __slots__ = ("_name",)
    __hash__ = None  # type: ignore[assignment]  # it only takes a value

    def __init__(self, name: str) -> None:
        self._name = name

    def __eq__(self, value: object) -> Equalities:  # type: ignore[override]  # takes down, by design
        return Equalities({self._name: value})


class Equalities:
    """Values by the names of fields."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __and__(self, other: object) -> Equalities:
        if not isinstance(other, Equalities) or self.values.keys() & other.values.keys():
            raise _no_key()
        return Equalities({**self.values, **other.values})

    def __bool__(self) -> bool:
        raise _no_key()


def equalities(mapper: Mapper[Any], key: Callable[[Any], Any]) -> dict[str, Any]:
    """The values of the fields that a lambda compares.

    :raises InvalidKey: it does anything else
    """
    try:
        found = key(KeyRecorder(mapper))
    except TypeError as error:
        raise _no_key() from error
    if isinstance(found, Equalities):
        return found.values
    raise _no_key()


def _no_key() -> InvalidKey:
    return InvalidKey(
        "a key as a function compares each field of the key once, by == joined with &, as in"
        ' lambda u: (u.org == "acme") & (u.id == "7")'
    )
