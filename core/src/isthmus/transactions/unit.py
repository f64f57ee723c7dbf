"""What a unit of work has read and is going to write: everything but I/O, so the same for sync and async.

Each operation is a plan: a generator that yields the reads that it needs, gets their results, and returns the result
that the operation would have had. Writes are judged on what was read and kept; ``commit`` sends them as one
transaction, which requires that everything is still as it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.capabilities import Limits
from isthmus.errors import InvalidArgument, IsthmusError, PluginError, TransactionFailed
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.requests import Identity
from isthmus.tokens import content_digest
from isthmus.transactions.conflicts import changed_since
from isthmus.transactions.images import Entry, judged
from isthmus.transactions.one_shot import item_identity, transact_write
from isthmus.validation import Clock, ValidationLayer
from isthmus.values import Item, copy_item
from isthmus.writes import visible

T = TypeVar("T")
M = TypeVar("M", bound=op.Get | op.Action)
Steps = Generator[op.Operation, Any, T]
# They read nothing that is validated, and change nothing.
_PASSED_ON: Final = (op.DescribeTable, op.ListTables, op.Resolve, op.FindHolder)


class Unit:
    """The items of one unit of work.

    :param backend: the name that errors give
    :param deadline: monotonic seconds, for everything that is sent
    """

    def __init__(self, backend: str, limits: Limits, clock: Clock, deadline: float | None) -> None:
        self._backend = backend
        self._limits = limits
        self._clock = clock
        self._deadline = deadline
        self._rules = ValidationLayer(clock, limits)
        self._entries: dict[Identity, Entry] = {}
        self._asked: list[op.Action] = []
        self._reads = 0

    def plan(self, operation: op.Operation) -> Steps[res.Result]:
        """Answer one operation.

        :raises InvalidArgument: it is of a kind that a unit of work does not take, or names the 101st item
        """
        plan = _PLANS.get(type(operation))
        if plan is not None:
            return (yield from plan(self, operation))
        if isinstance(operation, _PASSED_ON):
            result: res.Result = yield operation
            return result
        raise InvalidArgument(
            f"a unit of work reads and writes items by their keys, and takes no {operation.kind}: use the database"
            " itself for it, and read the items that matter again here"
        )

    # ---- reads ----

    def _get(self, operation: op.Get) -> Steps[res.Result]:
        yield from self._load([operation])
        entry = self._entries[item_identity(operation)]
        return res.GetResult(self._shown(entry, operation.projection), entry.revision if operation.revision else None)

    def _get_many(self, operation: op.GetMany) -> Steps[res.Result]:
        gets = [op.Get(operation.context, operation.table, key) for key in operation.keys]
        yield from self._load(gets)
        found = [self._entries[item_identity(get)] for get in gets]
        return res.GetManyResult([self._shown(entry, operation.projection) for entry in found])

    def _transact_get(self, operation: op.TransactGet) -> Steps[res.Result]:
        yield from self._load(operation.gets)
        found = [self._entries[item_identity(get)] for get in operation.gets]
        return res.TransactGetResult(
            [self._shown(entry, get.projection) for entry, get in zip(found, operation.gets, strict=True)],
            [entry.revision if get.revision else None for entry, get in zip(found, operation.gets, strict=True)],
        )

    def _shown(self, entry: Entry, projection: Sequence[Path] | None) -> Item | None:
        item = self._current(entry)
        if item is None:
            return None
        return copy_item(item) if projection is None else copy_item(project(item, tuple(projection)))

    def _current(self, entry: Entry) -> Item | None:
        return visible(entry.table, entry.image, self._clock())

    def _load(self, members: Iterable[op.Get | op.Action]) -> Steps[None]:
        """Read those items that are not known yet; several of them as of one moment."""
        unknown = self._unknown(members)
        self._admit(len(unknown))
        gets = [
            op.Get(self.context(one.context), one.table, one.table.key_of(one.key), revision=True)
            for one in unknown.values()
        ]
        if not gets:
            return
        self._reads += 1
        if len(gets) == 1:
            answer = yield gets[0]
            self._saw(gets[0], answer.item, answer.revision)
            return
        answers = yield op.TransactGet(gets[0].context, tuple(gets))
        for get, item, revision in zip(gets, answers.items, answers.revisions or [None] * len(gets), strict=True):
            self._saw(get, item, revision)

    def _unknown(self, members: Iterable[M]) -> dict[Identity, M]:
        return {item_identity(one): one for one in members if item_identity(one) not in self._entries}

    def _admit(self, more: int) -> None:
        most = self._limits.transaction_actions
        if len(self._entries) + more > most:
            raise InvalidArgument(f"a unit of work takes {most} items, those included that it only reads: split it")

    def _saw(self, get: op.Get, item: Item | None, revision: op.Revision | None) -> None:
        if revision is None:
            raise PluginError(
                f"a read of table {get.table.name!r} was answered without the item's revision: the backend has to give"
                " it, and layers have to pass on reads that ask for one, and results as they come"
            )
        # Two tasks may have asked at once: the first answer counts, and the commit tells whether it was the same.
        self._entries.setdefault(item_identity(get), Entry(get.table, get.key, revision, item, item))

    def context(self, context: op.Context) -> op.Context:
        """A context whose deadline is not beyond that of the unit of work."""
        if self._deadline is None or (context.deadline is not None and context.deadline <= self._deadline):
            return context
        return evolve(context, deadline=self._deadline)

    # ---- writes ----

    def _write(self, operation: op.Create | op.Put | op.Update) -> Steps[res.Result]:
        old, new = yield from self._apply(operation)
        found = old if operation.returning == "old" else new if operation.returning else None
        return res.WriteResult(None if found is None else copy_item(found))

    def _delete(self, operation: op.Delete) -> Steps[res.Result]:
        old, _new = yield from self._apply(operation)
        given = old is not None and operation.returning == "old"
        return res.DeleteResult(copy_item(old) if old is not None and given else None, existed=old is not None)

    def _check(self, operation: op.Check) -> Steps[res.Result]:
        yield from self._apply(operation)
        return res.WriteResult()

    def _put_many(self, operation: op.PutMany) -> Steps[res.Result]:
        puts = [op.Put(operation.context, operation.table, item) for item in operation.items]
        for put in puts:
            self._rules.managed(put)  # one that is invalid writes nothing
        yield from self._prepare(puts)
        failures = []
        for position, put in enumerate(puts):
            try:
                yield from self._apply(put)
            except IsthmusError as error:
                failures.append(res.Failure(position, error))
        return res.WriteManyResult(len(puts) - len(failures), failures=failures)

    def _delete_many(self, operation: op.DeleteMany) -> Steps[res.Result]:
        deletes = [op.Delete(operation.context, operation.table, key) for key in operation.keys]
        yield from self._load(deletes)
        for delete in deletes:
            yield from self._apply(delete)
        return res.WriteManyResult(len(deletes))

    def _transact_write(self, operation: op.TransactWrite) -> Steps[res.Result]:
        """Several actions, all or none of them kept."""
        if operation.token is not None:
            raise InvalidArgument("inside a unit of work there is no token: give it to transaction()")
        yield from self._prepare(operation.actions)
        judgements = [self._judgement(action) for action in operation.actions]
        reasons = [one if isinstance(one, IsthmusError) else None for one in judgements]
        if any(reasons):
            raise TransactionFailed("nothing was kept: see the reasons, one for each action", reasons=reasons)
        for action in operation.actions:
            yield from self._apply(action)
        return res.TransactWriteResult()

    def _prepare(self, actions: Sequence[op.Action]) -> Steps[None]:
        """Read what several actions need, unless they are too many: then none of them is kept."""
        self._admit(len(self._unknown(actions)))
        yield from self._load([action for action in actions if not self._is_blind(action)])

    def _judgement(self, action: op.Action) -> IsthmusError | None:
        try:
            self._judged(action, self._entries.get(item_identity(action)) or _unread(action))
        except IsthmusError as error:
            return error
        return None

    def _apply(self, action: op.Action) -> Steps[tuple[Item | None, Item | None]]:
        """The visible item before an action, and the one after it, which is kept."""
        if self._is_blind(action):
            self._admit(1)
            entry = _unread(action)
        else:
            yield from self._load([action])
            entry = self._entries[item_identity(action)]
        old, new = self._judged(action, entry)
        # Not before: one that is refused leaves an item of which nothing is known.
        self._entries[item_identity(action)] = entry
        if not isinstance(action, op.Check):
            entry.image = None if new is None else copy_item(new)
            entry.written.append(action)
            self._asked.append(action)
        return old, new

    def _judged(self, action: op.Action, entry: Entry) -> tuple[Item | None, Item | None]:
        current = self._current(entry)
        try:
            return current, judged(action, entry, current, self._rules, self._limits, self._clock())
        except IsthmusError as error:
            error.backend, error.operation = self._backend, action.kind
            error.table, error.key = action.table.name, action.table.key_of(action.key)
            raise

    def _is_blind(self, action: op.Action) -> bool:
        """Whether an action needs to know nothing of an item that was not read."""
        return (
            isinstance(action, op.Put)
            and action.idempotent
            and action.table.version is None
            and item_identity(action) not in self._entries
        )

    # ---- the end ----

    def actions(self, context: op.Context) -> tuple[op.Action, ...]:
        """What is sent: one action for each item, in the order in which they were met."""
        return tuple([entry.action(context) for entry in self._entries.values()])

    def transaction(self, context: op.Context, token: str | None) -> op.TransactWrite | None:
        """Everything as one transaction; ``None`` where there is nothing to write and one read to trust.

        :raises InvalidArgument: it is too large
        """
        if not self._asked and self._reads <= 1:
            return None
        context = self.context(context)
        transaction = transact_write(self.actions(context), token, self._limits, context)
        if token is not None:
            # A repetition asks for the same, but may have read something else.
            asked = evolve(transaction, actions=tuple(self._asked), content=None)
            transaction = evolve(transaction, content=content_digest(asked))
        return transaction

    @property
    def spans_moments(self) -> bool:
        """Whether what was read is of more than one moment, so that it may not fit together."""
        return self._reads > 1

    def validate(self, context: op.Context) -> Steps[None]:
        """Require that everything is still as it was read.

        :raises Conflict: it is not
        """
        read = [entry for entry in self._entries.values() if entry.revision is not None]
        if not read:
            return
        found = yield from self._revisions(read, self.context(context))
        changed = sum(entry.revision != revision for entry, revision in zip(read, found, strict=True))
        if changed:
            conflict = changed_since(changed, len(read))
            conflict.backend, conflict.operation = self._backend, op.TransactWrite.kind
            conflict.table = ",".join(dict.fromkeys(entry.table.name for entry in read))
            raise conflict

    def _revisions(self, entries: Sequence[Entry], context: op.Context) -> Steps[Sequence[op.Revision | None]]:
        """What items are now, by reads alone: observers are told of no transaction that is none."""
        gets = tuple([op.Get(context, entry.table, entry.key, revision=True) for entry in entries])
        if len(gets) == 1:
            return [(yield gets[0]).revision]
        revisions: Sequence[op.Revision | None] = (yield op.TransactGet(context, gets)).revisions
        return revisions


def _unread(action: op.Action) -> Entry:
    return Entry(action.table, action.table.key_of(action.key), None, None, None)


_PLANS: Final[dict[type[op.Operation], Callable[[Unit, Any], Steps[res.Result]]]] = {
    op.Get: Unit._get,  # noqa: SLF001  # the table of this class's own methods
    op.GetMany: Unit._get_many,  # noqa: SLF001
    op.TransactGet: Unit._transact_get,  # noqa: SLF001
    op.Create: Unit._write,  # noqa: SLF001
    op.Put: Unit._write,  # noqa: SLF001
    op.Update: Unit._write,  # noqa: SLF001
    op.Delete: Unit._delete,  # noqa: SLF001
    op.Check: Unit._check,  # noqa: SLF001
    op.PutMany: Unit._put_many,  # noqa: SLF001
    op.DeleteMany: Unit._delete_many,  # noqa: SLF001
    op.TransactWrite: Unit._transact_write,  # noqa: SLF001
}
