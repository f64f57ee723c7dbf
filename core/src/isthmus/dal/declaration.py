"""What a DAL class declares: attrs objects with their model, or dictionaries in a table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, get_args, get_origin

from attrs import frozen

from isthmus.errors import InvalidArgument
from isthmus.hints import nearest
from isthmus.repository.model import Model, model_of
from isthmus.schema import Table

_DICTIONARIES = (dict, Mapping, MutableMapping)
_HOOKS = ("before_save", "after_load", "validate")


@frozen
class Declaration:
    """What the records of a DAL class are, and where: a class with its model, or dictionaries in a table."""

    kind: type[Any]
    model: Model | None = None
    table: Table | None = None

    @property
    def place(self) -> tuple[str, str, str] | None:
        """The table and discriminator that nobody else may have; ``None`` without a discriminator."""
        if self.model is None or self.model.discriminator is None:
            return None
        return self.model.table_name, self.model.discriminator_attribute, self.model.discriminator


def declared_by(owner: type[Any], kind: type[Any] | None) -> Declaration | None:
    """What a class declares; ``None`` where a subclass has to.

    :param kind: what stands in the brackets of its base
    :raises InvalidArgument: what it declares does not fit together
    """
    name, model, table = owner.__name__, owner.model, owner.table
    if table is not None and not isinstance(table, Table):
        raise InvalidArgument(f"table of {name} is a declaration: write table = Table({str(table)!r}, partition_key)")
    if kind is None or kind in _DICTIONARIES:
        if model is not None:
            raise InvalidArgument(f"{name} has a model for no class: derive it from DalBaseClass[Order], say")
        return None if table is None else Declaration(dict, None, table)
    if table is not None:
        raise InvalidArgument(
            f"{name} has both a class and a table: give the table to the class's model, or leave the class out to take"
            " dictionaries"
        )
    try:
        return Declaration(kind, model_of(kind, model))
    except InvalidArgument as error:
        raise InvalidArgument(f"{name}: {error.message}; or take dictionaries, with table = Table(…)") from None


def kind_of(owner: type[Any], base: type[Any]) -> type[Any] | None:
    """The class in the brackets of a DAL class's base, ``DalBaseClass[Order]``; ``None`` where there is none.

    :raises InvalidArgument: it is no class
    """
    for one in vars(owner).get("__orig_bases__", ()):
        origin = get_origin(one)
        if not (isinstance(origin, type) and issubclass(origin, base)):
            continue
        given = get_args(one)[0]
        if isinstance(given, TypeVar):
            return None
        kind = get_origin(given) or given
        if not isinstance(kind, type):
            raise InvalidArgument(f"{owner.__name__} names its class by {given!r}: put the class itself there")
        return kind
    inherited: type[Any] | None = getattr(owner, "_kind", None)
    return inherited


def check_hooks(owner: type[Any]) -> None:
    """Refuse hooks that nobody would await.

    :raises InvalidArgument: one is async
    """
    for name in _HOOKS:
        if inspect.iscoroutinefunction(getattr(owner, name)):
            raise InvalidArgument(f"{owner.__name__}.{name} is async, and hooks only compute: write it with plain def")


def aliases(owner: type[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Methods under the names that a code base called them by before.

    :raises InvalidArgument: a name is taken, or stands for no method
    """
    for former, today in vars(owner).get("former_names", {}).items():
        if not callable(getattr(owner, today, None)) or today.startswith("_"):
            near = nearest(today, [name for name in dir(owner) if not name.startswith("_")])
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InvalidArgument(f"former_names of {owner.__name__} names {today!r}, which is no method{hint}")
        if hasattr(owner, former):
            raise InvalidArgument(
                f"former_names of {owner.__name__} names {former!r}, which it has already: leave it out"
            )
        yield former, _alias(former, today)


def _alias(former: str, today: str) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        import warnings

        warnings.warn(f"{type(self).__name__}.{former} is now called {today}", DeprecationWarning, stacklevel=2)
        return getattr(self, today)(*arguments, **options)

    call.__name__ = former
    call.__doc__ = f"The former name of ``{today}``."
    return call
