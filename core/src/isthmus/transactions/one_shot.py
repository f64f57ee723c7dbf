"""One-shot transactions: actions and reads over any tables become one operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from attrs import evolve

from isthmus import operations as op
from isthmus.arguments import members
from isthmus.capabilities import Limits
from isthmus.errors import InvalidArgument
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.operations import Context
from isthmus.requests import Identity, at_places
from isthmus.tokens import check_token, content_digest
from isthmus.values import Item, Value, item_size

# Where an answer stands among those of the backend, and what is cut out of it.
Place = tuple[int, tuple[Path, ...] | None]


def transact_write(
    actions: Iterable[op.Action], token: str | None, limits: Limits, context: Context
) -> op.TransactWrite:
    """Several writes and checks as one.

    :raises InvalidArgument: none or too many actions, too large, or one item named twice (rules TXN-1, TXN-2)
    """
    checked = tuple(_action(action) for action in members(actions, "actions"))
    _check_count(len(checked), "actions", limits)
    _check_distinct(checked)
    if sum(map(_payload, checked)) > limits.transaction_bytes:
        raise InvalidArgument(f"the transaction carries more than {limits.transaction_bytes} bytes: split it")
    transaction = op.TransactWrite(context, checked, check_token(token))
    return transaction if token is None else evolve(transaction, content=content_digest(transaction))


def transact_get(gets: Iterable[op.Get], limits: Limits, context: Context) -> tuple[op.TransactGet, list[Place]]:
    """Several reads as of one moment; the list says where each answer stands.

    Each item is asked for once. Where its reads want different parts, the whole item is asked for.
    """
    wanted = [_get(get) for get in members(gets, "reads")]
    unique: dict[Identity, op.Get] = {}
    for get in wanted:
        first = unique.setdefault(item_identity(get), get)
        if first.projection != get.projection:
            unique[item_identity(get)] = evolve(first, projection=None)
    _check_count(len(unique), "items", limits)
    places = {identity: place for place, identity in enumerate(unique)}
    cuts = (get.projection if unique[item_identity(get)].projection is None else None for get in wanted)
    return op.TransactGet(context, tuple(unique.values())), [
        (places[item_identity(get)], cut) for get, cut in zip(wanted, cuts, strict=True)
    ]


def spread_reads(items: Sequence[Item | None], places: list[Place]) -> list[Item | None]:
    """Answers for each place of the caller's request, from those for each different item."""
    found = at_places(items, [place for place, _paths in places])
    return [
        item if item is None or paths is None else project(item, paths)
        for item, (_place, paths) in zip(found, places, strict=True)
    ]


def _get(get: object) -> op.Get:
    if isinstance(get, op.Get):
        return get
    raise InvalidArgument(f"a transactional read takes what table.actions.get(…) gives, not {type(get).__name__}")


def _action(action: object) -> op.Action:
    if isinstance(action, (op.Create, op.Put, op.Update, op.Delete, op.Check)):
        return action
    raise InvalidArgument(
        f"a transaction takes what table.actions.put(…) and the like give, not {type(action).__name__}"
    )


def _check_count(count: int, what: str, limits: Limits) -> None:
    if not 1 <= count <= limits.transaction_actions:
        raise InvalidArgument(f"a transaction takes 1 to {limits.transaction_actions} {what}, got {count}: split it")


def _check_distinct(actions: Iterable[op.Action]) -> None:
    seen: dict[Identity, int] = {}
    for position, action in enumerate(actions):
        first = seen.setdefault(item_identity(action), position)
        if first != position:
            raise InvalidArgument(f"actions {first} and {position} name the same item: merge them into one")


def item_identity(member: op.Action | op.Get) -> Identity:
    """What tells items apart: the same table's name and key."""
    return (member.table.name, *(member.key[name] for name in member.table.key_names))


def _payload(action: op.Action) -> int:
    """Bytes that an action sends, by the formula for items."""
    if isinstance(action, (op.Create, op.Put)):
        return item_size(action.item)
    size = item_size(action.key)
    if isinstance(action, op.Update):
        values = [change.value for change in action.changes.actions if hasattr(change, "value")]
        size += item_size({"values": cast("Value", values)})
    return size
