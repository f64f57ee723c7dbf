"""The meaning of a write for one item, with all indexes that are stored (rule KEY-10)."""

from __future__ import annotations

from attrs import evolve

from isthmus.operations import Action
from isthmus.values import Item
from isthmus.writes import check_index_keys, write
from isthmus_dynamodb.service import Service


def judged(action: Action, current: Item | None, service: Service, now: float) -> Item | None:
    """The item after an action, as :func:`isthmus.writes.write` says; it has to fit undeclared indexes too."""
    table = service.known.complete(action.table)
    if table is action.table:
        return write(action, current, service.limits, now)
    new = write(evolve(action, table=table), current, service.limits, now)
    if new is not None:
        check_index_keys(table, new, service.limits)
    return new
