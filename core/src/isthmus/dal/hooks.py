"""The hooks of a DAL class: what a code base says about its records, in one place."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class DalHooks(Generic[T]):
    """Hooks that do nothing; a subclass overrides those that it needs. They are the same for sync and async.

    A write of a whole entity, alone, in a batch or in a transaction, calls ``before_save`` and then ``validate``
    before anything is sent; a batch does so for all its entities first. Each entity that a method hands out has gone
    through ``after_load``: those that were read, and those that were just written, so that a write gives what a
    read would.

    ``update`` changes parts of a stored entity that nobody has read, and ``delete`` removes one, so neither calls
    ``before_save`` or ``validate``. In ``run_transaction`` hooks run again with each attempt.

    Hooks compute; they are neither async nor do they write.
    """

    def before_save(self, entity: T) -> T:
        """The entity that is to be written: the one that is given, changed or not, or another one."""
        return entity

    def after_load(self, entity: T) -> T:
        """The entity that the caller gets: the one that is given, changed or not, or another one."""
        return entity

    def validate(self, entity: T) -> None:
        """Raise an error, of any class, if the entity must not be written; it reaches the caller as it is."""
