"""One use for each capability, small enough to tell whether it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve, frozen

from isthmus import BoundTable, Capability, Database, F, Index, Table, Unique
from isthmus.errors import ConditionFailed
from isthmus.operations import Context, Resolve
from isthmus.results import ResolveResult
from isthmus_conformance.base import fresh_name
from isthmus_conformance.eventually import eventually

ITEMS: Final = tuple({"pk": "p", "sk": str(number), "x": number, "map": {"y": number}} for number in range(3))
"""What a probe's table holds: one partition with three items."""

INDEX: Final = Index("by-x", "pk", ("x", int))

Use = Callable[[Database, BoundTable], Any]


@frozen
class Probe:
    """A use of one capability.

    :param use: what is done
    :param expected: what it gives
    :param indexed: whether the table has the index ``by-x``
    """

    use: Use
    expected: Any
    indexed: bool = False


def _sort_keys(items: Any) -> list[Any]:
    return [item["sk"] for item in items]


def _current(table: BoundTable) -> Any:
    try:
        table.put({"pk": "p", "sk": "0"}, when=F.x == 5)
    except ConditionFailed as error:
        return error.current
    return "the condition held"


def _made(database: Database, **declaration: Any) -> list[str]:
    """Creates a table with this declaration; what differs in what is stored."""
    wanted = Table(fresh_name(), **{"partition_key": "id", **declaration})
    database.tables.create(wanted)
    try:
        return wanted.differences(database.tables.describe(wanted.name))
    finally:
        database.tables.drop(wanted.name)


def _upserted(table: BoundTable) -> Any:
    return table.update(pk="p", sk="new", set={"x": 1}, upsert=True) or table.get(pk="p", sk="new")["x"]


def _transact(database: Database, table: BoundTable, token: str | None = None) -> bool:
    put = table.actions.put({"pk": "p", "sk": "t", "x": 1})
    return database.transact_write([put], token=token).replayed


def _by_index(table: BoundTable) -> list[Any]:
    selection = table.query(index="by-x", pk="p").consistent(False)
    eventually(["0", "1", "2"], lambda: _sort_keys(selection))
    return _sort_keys(selection)


PROBES: Final[dict[Capability, Probe]] = {
    Capability.STRONG_READ: Probe(lambda _d, t: t.get(pk="p", sk="1", consistent=True)["x"], 1),
    Capability.CONDITIONAL_WRITE: Probe(lambda _d, t: t.put({"pk": "p", "sk": "9"}, when=F.x.not_exists()), None),
    Capability.CONDITIONAL_DELETE: Probe(lambda _d, t: t.delete(pk="p", sk="1", when=F.x == 1), True),
    Capability.UPDATE: Probe(lambda _d, t: t.update(pk="p", sk="1", set={"x": 5}), None),
    Capability.UPSERT: Probe(lambda _d, t: _upserted(t), 1),
    Capability.NESTED_UPDATE: Probe(lambda _d, t: t.update(pk="p", sk="1", set={F.map.y: 5}), None),
    Capability.RETURN_OLD: Probe(lambda _d, t: t.put({"pk": "p", "sk": "1"}, returning="old")["x"], 1),  # type: ignore[index]
    Capability.RETURN_NEW: Probe(lambda _d, t: t.update(pk="p", sk="1", add={"x": 1}, returning="new")["x"], 2),  # type: ignore[index]
    Capability.CURRENT_ON_FAILURE: Probe(lambda _d, t: _current(t), ITEMS[0]),
    Capability.ORDERED_QUERY: Probe(lambda _d, t: _sort_keys(t.query(pk="p")), ["0", "1", "2"]),
    Capability.REVERSE_QUERY: Probe(lambda _d, t: _sort_keys(t.query(pk="p").descending()), ["2", "1", "0"]),
    Capability.FILTER: Probe(lambda _d, t: _sort_keys(t.scan().where(F.x == 1)), ["1"]),
    Capability.PROJECTION: Probe(lambda _d, t: t.get(pk="p", sk="1", select=["x"]), {"x": 1}),
    Capability.SCAN: Probe(lambda _d, t: sorted(_sort_keys(t.scan())), ["0", "1", "2"]),
    Capability.PARALLEL_SCAN: Probe(lambda _d, t: sorted(_sort_keys(t.scan(segments=2))), ["0", "1", "2"]),
    Capability.COUNT: Probe(lambda _d, t: t.query(pk="p").count(), 3),
    Capability.SECONDARY_INDEX: Probe(lambda _d, t: _by_index(t), ["0", "1", "2"], indexed=True),
    Capability.STRONG_INDEX_READ: Probe(
        lambda _d, t: _sort_keys(t.query(index="by-x", pk="p").consistent()), ["0", "1", "2"], indexed=True
    ),
    Capability.BATCH_GET: Probe(lambda _d, t: _sort_keys(t.get_many([{"pk": "p", "sk": "2"}])), ["2"]),
    Capability.BATCH_WRITE: Probe(lambda _d, t: t.put_many([{"pk": "p", "sk": "7"}]).written, 1),
    Capability.TRANSACT_WRITE: Probe(_transact, False),
    Capability.TRANSACT_GET: Probe(
        lambda d, t: _sort_keys(item or {} for item in d.transact_get([t.actions.get(pk="p", sk="2")])), ["2"]
    ),
    Capability.IDEMPOTENCY_TOKEN: Probe(
        lambda d, t: [_transact(d, t, f"{t.name}-token"[-36:]), _transact(d, t, f"{t.name}-token"[-36:])], [False, True]
    ),
    Capability.OPERATION_ID: Probe(
        lambda d, t: d.execute(Resolve(Context(), t.name, {"pk": "p", "sk": "1"}, "0" * 24)),
        ResolveResult("unknown"),
    ),
    Capability.REVISION: Probe(
        lambda d, t: d.execute(evolve(t.actions.get(pk="p", sk="1"), revision=True)).revision is not None,  # type: ignore[attr-defined]
        True,
    ),
    Capability.TTL: Probe(lambda d, _t: _made(d, ttl="expires"), []),
    Capability.UNIQUE_INDEX: Probe(lambda d, _t: _made(d, unique=[Unique("mail", only=("type", "user"))]), []),
    Capability.NUMBER_KEY: Probe(lambda d, _t: _made(d, sort_key=("n", int)), []),
    Capability.BINARY_KEY: Probe(lambda d, _t: _made(d, sort_key=("b", bytes)), []),
    Capability.TABLE_MANAGEMENT: Probe(lambda d, _t: _made(d), []),
}
"""The use of each capability that an operation can need."""

DECLARED_ONLY: Final = frozenset(
    {Capability.CURRENT_ON_FAILURE, Capability.WIDE_NUMBERS, Capability.DURABLE, Capability.SHARED_BY_PROCESSES}
)
"""Capabilities that describe answers and the store itself: nothing asks for them, so nothing is refused."""
