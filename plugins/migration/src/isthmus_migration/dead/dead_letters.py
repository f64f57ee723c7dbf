"""``Migration.dead``: what can be done with the items that could not be moved."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, get_args

from attrs import evolve, frozen

from isthmus.errors import InvalidArgument, ItemNotFound
from isthmus_migration.dead.journaling import hand_out, settle
from isthmus_migration.dead.letters import Choice, Letter, Original, Status, letters, original_of
from isthmus_migration.dead.replaying import Replaying
from isthmus_migration.dead.results import Replay
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.lock import WorkLock
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.slices.worker import Setup, TableWork, Worker
from isthmus_migration.transforms import Transform, compile_transform

_REPLAYABLE: Final = (
    State.COPYING, State.PAUSED, State.FAILED, State.COPIED, State.VERIFYING, State.READY, State.DIFFERENT,
)  # fmt: skip
_VERIFIED: Final = (State.VERIFYING, State.READY, State.DIFFERENT)


@frozen
class DeadLetters:
    """The dead letters of a migration. Reading is possible while the migration runs; changing is not."""

    work: WorkDirectory
    setup: Setup

    def list(
        self, *, table: str | None = None, key: str | None = None, code: str | None = None, phase: str | None = None,
        status: Status | None = "open",
    ) -> Iterator[Letter]:  # fmt: skip
        """The letters for which all that is said holds, in the order in which they were found.

        :param table: the source's table
        :param key: the text of a key
        :param code: an error's code
        :param phase: ``decode``, ``transform``, ``encode`` or ``write``
        :param status: ``None`` for every status
        :raises InvalidArgument: there is no such status
        """
        if status is not None and status not in get_args(Status):
            raise InvalidArgument(
                f"there is no status {status!r}: choose {', '.join(get_args(Status))}, or None for all"
            )
        with self.work.journal(writable=False) as journal:
            yield from letters(journal, Choice(None, table, key, code, phase, status))

    def show(self, letter: int) -> tuple[Letter, Original]:
        """A letter with its original.

        :param letter: its number
        :raises ItemNotFound: there is none
        """
        with self.work.journal(writable=False) as journal:
            for found in letters(journal, Choice([letter], status=None)):
                return found, original_of(journal, found)
        raise ItemNotFound(f"there is no dead letter {letter}: list them to see their numbers")

    def acknowledge(self, which: Iterable[int] | None = None, *, note: str = "") -> int:
        """Say that letters are known and may stay as they are; they count no more against any limit.

        :param which: their numbers; all open ones when ``None``
        :param note: why, kept with them
        :return: how many were open
        :raises ItemNotFound: a number is of none
        :raises WorkDirectoryInUse: the migration runs
        """
        choice = _choice(which, "open")
        condition, values = choice.where()
        with self._writing() as journal:
            _check_there(journal, choice)
            with journal.transaction() as connection:
                count = connection.execute(
                    f"UPDATE dead SET status = 'acknowledged', note = ?, updated = ? WHERE {condition}",  # noqa: S608  # names of ours, and numbers
                    [note, time.time(), *values],
                ).rowcount
            journal.event("info", "dead_acknowledged", letters=count, note=note)
        return count

    def replay(self, which: Iterable[int] | None = None, *, transform: Transform | None = None) -> Replay:
        """Try letters again, each through everything that the copy does; what was written has to be verified again.

        Items are read again from the source, by their keys: they may have been mended. Those that the source has not
        any more, or that are from an export, are taken as they were read.

        :param which: their numbers; all open ones when ``None``
        :param transform: instead of the plan's; it is recorded as an event, since the plan never changes. Where it
            gives items other keys than the plan's transform, no item that the target holds is replaced
        :raises WrongState: the migration was rolled back, or its target is an export
        :raises ItemNotFound: a number is of no letter
        :raises InvalidArgument: the transform leads to another table than the plan's
        :raises WorkDirectoryInUse: the migration runs
        """
        choice = _choice(which, "open" if which is None else None)
        with self._writing() as journal:
            _check_state(journal)
            _check_there(journal, choice)
            worker = Worker(self.setup)
            try:
                self.work.check_in_force(journal, worker.plan)
                return _replay(journal, worker, choice, transform)
            finally:
                worker.close()

    @contextmanager
    def _writing(self) -> Iterator[Journal]:
        with WorkLock(self.work.path), self.work.journal(writable=True) as journal:
            yield journal


def _choice(which: Iterable[int] | None, status: Status | None) -> Choice:
    numbers = None if which is None else list(which)
    for number in numbers or ():
        if type(number) is not int:
            raise InvalidArgument(f"a dead letter is named by its number, not by {number!r}: list them to see it")
    return Choice(numbers, status=status)


def _check_there(journal: Journal, choice: Choice) -> None:
    """Refuse numbers of no letter: what was mistyped would seem to be settled.

    :raises ItemNotFound: there is one
    """
    if choice.ids is None:
        return
    there = {letter.id for letter in letters(journal, Choice(choice.ids, status=None))}
    for number in choice.ids:
        if number not in there:
            raise ItemNotFound(f"there is no dead letter {number}: list them to see their numbers")


def _check_state(journal: Journal) -> None:
    if journal.state not in _REPLAYABLE:
        raise WrongState(
            f"the migration is {journal.state}, and its dead letters can't be replayed: {journal.state.next_step}"
        )


def _replay(journal: Journal, worker: Worker, choice: Choice, transform: Transform | None) -> Replay:
    if not worker.target.holds_keys:
        raise WrongState("files of an export are written once: mend the source and export anew")
    works: dict[str, TableWork] = {}
    tried = replayed = skipped = failed = 0
    if transform is not None:
        journal.event("info", "replay_transform", transform=transform.sealed().to_dict())
    for letter in letters(journal, choice):
        if letter.status == "replayed":
            continue
        if letter.table not in works:
            works[letter.table] = _work(worker, letter.table, transform)
        replaying = Replaying(worker, journal, works[letter.table], worker.table(letter.table))
        attempt = replaying.try_again(letter, original_of(journal, letter), hand_out(journal, letter))
        settle(journal, letter, attempt)
        if attempt.stored and journal.state in _VERIFIED:
            journal.enter(State.COPIED, reason="dead letters were replayed: verify again")
        tried += 1
        replayed += attempt.stored
        failed += attempt.failure is not None
        skipped += not attempt.stored and attempt.failure is None
    journal.event("info", "dead_replayed", tried=tried, replayed=replayed, skipped=skipped, failed=failed)
    return Replay(tried, replayed, skipped, failed)


def _work(worker: Worker, table: str, transform: Transform | None) -> TableWork:
    work = worker.table(table)
    if transform is None:
        return work
    compiled = compile_transform(transform, work.plan.source, worker.target.limits)
    differences = work.plan.target.differences(worker.target.kept(compiled.target_table))
    if differences or compiled.target_table.name != work.plan.target.name:
        raise InvalidArgument(
            f"the transform of a replay has to lead to table {work.plan.target.name!r} as it was planned: "
            f"{'; '.join(differences) or 'it names another table'}"
        )
    return evolve(work, transform=compiled)
