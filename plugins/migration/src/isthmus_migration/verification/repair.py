"""Repairing what a verification found: exactly the keys that differ are copied again, and looked up once more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from attrs import define, evolve, frozen

from isthmus_migration.coordination.session import Session
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.places.base import Place
from isthmus_migration.slices.worker import Setup, Worker
from isthmus_migration.tasks import Unit
from isthmus_migration.verification.candidates import Candidate, Differences, unwritable
from isthmus_migration.verification.confirming import Confirming, batches
from isthmus_migration.verification.expected import was_copied
from isthmus_migration.verification.judging import MISMATCHES, finding, judge
from isthmus_migration.verification.records import REPAIR, Record, mismatches
from isthmus_migration.verification.repairing import WANTED_FILE, RepairPart, key_hash
from isthmus_migration.verification.results import Verification
from isthmus_migration.verification.verifying import opened, verification

_KEYS: Final = 1_000
"""Keys of one unit."""


@frozen
class Repair:
    """What a repair did.

    :param written: items that were copied again, or deleted
    :param dead: items that became dead letters when they were copied again
    :param verification: the verification with what is left of its mismatches
    """

    written: int
    dead: int
    verification: Verification
    finished: bool = True
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data."""
        return {
            "written": self.written, "dead": self.dead, "finished": self.finished, "reason": self.reason,
            "verification": self.verification.to_dict(),
        }  # fmt: skip


class _Open(NamedTuple):
    """An open mismatch in the journal."""

    key: str
    kind: str
    source_key: str | None
    expected: int | None


@define
class Repairing:
    """A repair within a session.

    :param delete_extra: whether items that only the target has are deleted
    """

    session: Session
    setup: Setup
    delete_extra: bool = False

    def run(self) -> Repair:
        """Repair; an interrupted repair goes on.

        :raises WrongState: there is no finished verification
        :raises IsthmusError: a place can't be used now; calling it again goes on
        """
        journal = self.session.journal
        record = self._record(journal)
        with opened(self.setup) as worker:
            _require_keys(worker.target)
            self._plan(worker, journal)
            outcome = self.session.do("repair")
            if outcome.finished:
                self._look_again(worker, record)
        counts = journal.counts("repair")
        if outcome.finished:
            journal.set_meta(**{REPAIR: "done"})
        result = verification(journal, record)
        journal.enter(State.READY if result.equal else State.DIFFERENT, repaired=counts.written, reason=outcome.reason)
        return Repair(counts.written, counts.dead, result, outcome.finished, outcome.reason)

    def _record(self, journal: Journal) -> Record:
        if not was_copied(journal):
            raise WrongState("nothing was copied from this work directory, so nothing is repaired: plan a migration")
        record = Record.of(journal)
        if record is None or record.step != "done" or journal.state not in (State.DIFFERENT, State.READY):
            raise WrongState(f"the migration is {journal.state}: verify it first, a repair needs to know what differs")
        if record.settings.level == "count" and not any(mismatches(journal, status="open", most=1)):
            raise WrongState("the last verification has only counted: verify with the level digest, which names items")
        return record

    # ---- planning ----

    def _plan(self, worker: Worker, journal: Journal) -> None:
        """Make the units, unless an interrupted repair of the same kind has left some."""
        kind = "with_extra" if self.delete_extra else "without_extra"
        _write_wanted(worker, journal)
        if journal.meta(REPAIR) == kind:
            return
        journal.forget_phase("repair")
        journal.add_units("repair", self._units(worker, journal))
        journal.set_meta(**{REPAIR: kind})

    def _units(self, worker: Worker, journal: Journal) -> list[Unit]:
        units: list[Unit] = []
        for plan in worker.plan.tables:
            name = plan.source.name
            parts = [*_copies(worker.source, plan.units, journal, name)]
            if self.delete_extra:
                extras = (one.key for one in open_mismatches(journal, name) if one.kind == "extra")
                parts += [RepairPart(delete=tuple(keys)) for keys in batches(extras, _KEYS)]
            units += [Unit(f"{name}-repair-{number:05d}", name, part.to_text()) for number, part in enumerate(parts)]
        return units

    # ---- looking again ----

    def _look_again(self, worker: Worker, record: Record) -> None:
        journal = self.session.journal
        with Differences(worker.workdir / "verify") as differences:
            confirming = Confirming(journal, worker, record, differences)
            for plan in worker.plan.tables:
                look_up = confirming.look_up(plan)
                for batch in batches(open_mismatches(journal, plan.source.name), confirming.batch):
                    candidates = [_candidate(one) for one in batch]
                    # The verification has told already what the target was to keep: that is none of these.
                    rules = evolve(confirming.rules(plan, candidates, extra=True), kept=frozenset())
                    judged = [(judge(both, rules), both) for both in look_up.both(candidates)]
                    found = [finding(both, kind, rules) for kind, both in judged if kind in MISMATCHES]
                    settled = {
                        both.candidate.key: "dead" if kind == "dead" else "repaired"
                        for kind, both in judged
                        if kind not in MISMATCHES
                    }
                    _note(journal, plan.source.name, found, settled)


def _require_keys(target: Place) -> None:
    if not target.holds_keys:
        raise WrongState(
            f"{target.name} is an export, in which single items can't be replaced: export anew into another folder"
        )


def _copies(source: Place, units: tuple[str, ...], journal: Journal, table: str) -> Iterator[RepairPart]:
    """The parts that copy a table's items again."""
    wanted = (one for one in open_mismatches(journal, table) if one.kind != "extra")
    if source.holds_keys:
        keys = (one.source_key for one in wanted if one.source_key is not None)
        yield from (RepairPart(copy=tuple(some)) for some in batches(keys, _KEYS))
    elif next(wanted, None) is not None:
        yield from (RepairPart(scan=unit) for unit in units)


def _write_wanted(worker: Worker, journal: Journal) -> None:
    """Write down for which keys of the target the source's items shall be copied."""
    folder = worker.workdir / "verify"
    try:
        folder.mkdir(exist_ok=True)
        with (folder / WANTED_FILE).open("wb") as stream:
            for plan in worker.plan.tables:
                name = plan.source.name
                wanted = (one for one in open_mismatches(journal, name) if one.kind != "extra")
                stream.writelines(_hash_of(worker, name, one) for one in wanted)
    except OSError as error:
        raise unwritable(folder / WANTED_FILE, error) from error


def _hash_of(worker: Worker, table: str, one: _Open) -> bytes:
    expected = None if worker.source.unique_keys else one.expected
    return key_hash(table, one.key, expected, missing=one.kind == "missing")


def open_mismatches(journal: Journal, table: str) -> Iterator[_Open]:
    """The open mismatches of a table in the order of their keys; they may change meanwhile."""
    last = ""
    while True:
        rows = journal.rows(
            "SELECT item_key, kind, detail FROM mismatch WHERE source_table = ? AND status = 'open' AND item_key > ? "
            "ORDER BY item_key LIMIT 1000",
            (table, last),
        )
        if not rows:
            return
        for key, kind, text in rows:
            detail = json.loads(text)
            expected = detail.get("expected")
            yield _Open(key, kind, detail.get("source_key"), None if expected is None else int(expected, 16))
        last = rows[-1][0]


def _candidate(one: _Open) -> Candidate:
    sources = () if one.expected is None else ((one.source_key, one.expected),)
    return Candidate(one.key, sources)


def _note(journal: Journal, table: str, found: list[dict[str, Any]], settled: dict[str, str]) -> None:
    journal.find(table, found)
    with journal.transaction() as connection:
        connection.executemany(
            "UPDATE mismatch SET status = ?, updated = ? WHERE source_table = ? AND item_key = ?",
            ((status, time.time(), table, key) for key, status in settled.items()),
        )
