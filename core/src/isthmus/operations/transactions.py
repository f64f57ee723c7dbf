"""Reads and writes of several items, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from attrs import evolve, frozen

from isthmus.capabilities import Capability
from isthmus.operations.base import MapItem, MapValue, Operation
from isthmus.operations.items import Action, Get

_NOT_IN_TRANSACTIONS = frozenset({Capability.RETURN_OLD, Capability.RETURN_NEW, Capability.STRONG_READ})


@frozen
class TransactWrite(Operation):
    """Several writes and checks, over any tables, applied all or not at all.

    :param content: digest of what the caller asked for, where there is a token. Layers may add to the actions what is
        different each time, a timestamp say; a repetition is recognised all the same (rule TXN-8)
    """

    kind = "transact_write"
    writes = True

    actions: tuple[Action, ...]
    token: str | None = None
    content: bytes | None = None

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(action.table.name for action in self.actions))

    @property
    def idempotent(self) -> bool:
        return self.token is not None

    def requires(self) -> tuple[Capability, ...]:
        token = () if self.token is None else (Capability.IDEMPOTENCY_TOKEN,)
        return (Capability.TRANSACT_WRITE, *token, *_of_members(self.actions))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, actions=tuple(action.map_items(function) for action in self.actions))

    def map_set_values(self, function: MapValue) -> Self:
        return evolve(self, actions=tuple(action.map_set_values(function) for action in self.actions))


@frozen
class TransactGet(Operation):
    """Several items, over any tables, as they were at one moment."""

    kind = "transact_get"

    gets: tuple[Get, ...]

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(get.table.name for get in self.gets))

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.TRANSACT_GET, *_of_members(self.gets))


def _of_members(members: Iterable[Operation]) -> tuple[Capability, ...]:
    """What the members of a transaction rely on, each once."""
    wanted = dict.fromkeys(capability for member in members for capability in member.requires())
    return tuple(capability for capability in wanted if capability not in _NOT_IN_TRANSACTIONS)
