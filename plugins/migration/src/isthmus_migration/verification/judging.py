"""Deciding what a key is: equal, missing, changed or extra, or none of these for a reason that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from isthmus_migration.verification.fields import field_differences
from isthmus_migration.verification.lookups import Both, Held
from isthmus_migration.verification.reading import UNREADABLE

Judgement = Literal["equal", "missing", "changed", "extra", "dead", "expired", "kept", "other"]
MISMATCHES = ("missing", "changed", "extra")


@frozen
class Rules:
    """What is no mismatch.

    :param extra: whether items that only the target has count
    :param dead: keys of the source whose items are dead letters, as text
    :param originals: of these, keys whose items were refused for what they held, with the digests that they had then:
        of an item that has another one now nobody has decided anything
    :param shared: of these, keys that several items of an export have; with the digests of those that are dead letters
    :param alone: whether nothing was copied, so that what can't be told of the source has no dead letters
    :param kept: keys of the target whose items the target had before, and kept
    :param with_fields: whether fields of changed items are compared
    """

    extra: bool
    dead: frozenset[str] = frozenset()
    originals: Mapping[str, frozenset[int]] = field(factory=dict)
    shared: Mapping[str, frozenset[int]] = field(factory=dict)
    kept: frozenset[str] = frozenset()
    alone: bool = False
    with_fields: bool = False


def judge(both: Both, rules: Rules) -> Judgement:
    """What a key is."""
    sources, targets = _left(both, rules)
    if not sources and not targets:
        return "equal"
    living = _living(both, sources, targets, rules)
    if sources and not living:
        return "dead"
    sources = living
    if sources and all(held.expired for held in sources) and not targets:
        return "expired"
    if sources and rules.alone and not targets and all(held.digest == UNREADABLE for held in sources):
        return "dead"
    if sources and targets:
        return "kept" if both.candidate.key in rules.kept else "changed"
    if sources:
        return "missing"
    if any(key in rules.dead for key, _digest in both.candidate.sources):
        return "dead"
    return "extra" if rules.extra else "other"


def _living(both: Both, sources: list[Held], targets: list[Held], rules: Rules) -> list[Held]:
    """Those of the sources left that should be in the target."""
    living = [held for held in sources if not _is_dead(held, rules)]
    if living or len(targets) < len(both.targets):
        return living
    # Of items that are the same in everything one has the key, and the others' letters look like its own.
    alike = Counter(held.digest for held in both.sources)
    return [held for held in sources if held.source_key in rules.shared and alike[held.digest] > 1][:1]


def _is_dead(held: Held, rules: Rules) -> bool:
    if held.source_key not in rules.dead or has_changed(held, rules):
        return False
    return held.source_key not in rules.shared or held.digest in rules.shared[held.source_key]


def has_changed(held: Held, rules: Rules) -> bool:
    """Whether a source's item is another one than that which became a dead letter."""
    known = None if held.source_key is None else rules.originals.get(held.source_key)
    return known is not None and held.original is not None and held.original not in known


def _left(both: Both, rules: Rules) -> tuple[list[Held], list[Held]]:
    """What is left on each side when what both have is taken away; dead letters are left before others.

    What nobody can read is no more equal to something else that nobody can read than to anything.
    """
    dead_first = sorted(both.sources, key=lambda held: held.source_key not in rules.dead)
    here, there = Counter(held.digest for held in both.sources), Counter(held.digest for held in both.targets)
    only_here, only_there = here - there, there - here
    only_here[UNREADABLE], only_there[UNREADABLE] = here[UNREADABLE], there[UNREADABLE]
    return _pick(dead_first, only_here), _pick(both.targets, only_there)


def _pick(held: Iterable[Held], wanted: Counter[int]) -> list[Held]:
    found = []
    for one in held:
        if wanted[one.digest] > 0:
            wanted[one.digest] -= 1
            found.append(one)
    return found


def finding(both: Both, kind: Judgement, rules: Rules) -> dict[str, Any]:
    """A mismatch as the journal keeps it: keys, digests, paths; no values."""
    sources, targets = _left(both, rules)
    sources = _living(both, sources, targets, rules)
    detail: dict[str, Any] = {}
    if sources:
        detail = {"source_key": sources[0].source_key, "expected": f"{sources[0].digest:032x}"}
    if any(has_changed(held, rules) for held in sources):
        detail["since_dead"] = True
    if any(held.digest == UNREADABLE for held in (*sources, *targets)):
        detail["unreadable"] = True
    elif rules.with_fields and sources and targets and sources[0].item and targets[0].item:
        detail["fields"] = field_differences(sources[0].item, targets[0].item)
    return {"kind": kind, "key": both.candidate.key, "detail": detail}
