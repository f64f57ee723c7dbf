"""Anomalies of transactions as cycles among them (Adya): who must come before whom, until somebody before himself.

G0 is a cycle of writes alone, G1c one of writes and reads, G-single has one read that missed a write, read skew and
lost updates say, G2 has several of them, as write skew has. Each is looked for first among what the data tell, and,
where a later transaction must see an earlier one, in real time as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import networkx as nx

from tests.isolation.dependencies import Anomaly, Evidence, Kind, Transaction, gather, real_time

_KINDS: tuple[tuple[str, frozenset[Kind]], ...] = (("G0", frozenset({"ww"})), ("G1c", frozenset({"ww", "wr"})))
_TRIED = 200
"""From how many edges the shortest cycle is looked for."""
Edge = tuple[Transaction, Transaction, Kind, str]


def anomalies(transactions: Sequence[Transaction], *, strict: bool = True) -> list[Anomaly]:
    """Everything in a history that serializable transactions don't do.

    :param strict: whether a transaction must see all that ended before it began
    """
    evidence = gather(transactions)
    found = list(evidence.anomalies)
    cycle = _named_cycle(evidence.edges, frozenset(), "")
    if cycle is None and strict:
        cycle = _named_cycle([*evidence.edges, *real_time(_committed(evidence))], frozenset({"rt"}), " in real time")
    return found if cycle is None else [*found, cycle]


def _committed(evidence: Evidence) -> list[Transaction]:
    """Those that had an effect or an answer; what was appended without an answer must have been seen."""
    seen = {writer for (key, one), writer in evidence.writers.items() if one in evidence.order.get(key, ())}
    return [one for one in evidence.transactions if one.outcome == "done" or one in seen]


def _named_cycle(edges: Sequence[Edge], also: frozenset[Kind], suffix: str) -> Anomaly | None:
    """The simplest kind of cycle that there is."""
    for name, kinds in _KINDS:
        chosen = [edge for edge in edges if edge[2] in kinds | also]
        if (found := _shortest(chosen, chosen)) is not None:
            return Anomaly(name + suffix, found)
    missed = [edge for edge in edges if edge[2] == "rw"]
    others = [edge for edge in edges if edge[2] != "rw"]
    if (found := _shortest(others, missed)) is not None:
        return Anomaly("G-single" + suffix, found)
    if (found := _shortest(edges, missed)) is not None:
        return Anomaly("G2" + suffix, found)
    return None


def _shortest(edges: Sequence[Edge], closing: Iterable[Edge]) -> str | None:
    """The shortest cycle of one closing edge and a way back over other edges, in words."""
    closing = list(closing)
    inside = _strong_parts([*edges, *closing])
    graph = nx.DiGraph()
    for edge in edges:
        if inside.get(edge[0]) == inside.get(edge[1]) is not None:
            graph.add_edge(edge[0], edge[1], edge=edge)
    candidates = [edge for edge in closing if inside.get(edge[0]) == inside.get(edge[1]) is not None]
    cycles = [cycle for edge in candidates[:_TRIED] if (cycle := _cycle(graph, edge)) is not None]
    return _in_words(min(cycles, key=len)) if cycles else None


def _strong_parts(edges: Iterable[Edge]) -> dict[Transaction, int]:
    """The number of the strongly connected component of each transaction that is on a cycle."""
    graph = nx.DiGraph((edge[0], edge[1]) for edge in edges)
    parts: Iterator[set[Transaction]] = nx.strongly_connected_components(graph)
    return {one: number for number, part in enumerate(parts) if len(part) > 1 for one in part}


def _cycle(graph: nx.DiGraph, edge: Edge) -> list[Edge] | None:
    if edge[0] not in graph or edge[1] not in graph or not nx.has_path(graph, edge[1], edge[0]):
        return None
    way = nx.shortest_path(graph, edge[1], edge[0])
    return [edge, *(graph.edges[step]["edge"] for step in pairwise(way))]


def _in_words(cycle: Sequence[Edge]) -> str:
    lines = [f"    {before} {why}" for before, _, _, why in cycle]
    return "\n".join(["a cycle", *lines, "    the first one again"])
