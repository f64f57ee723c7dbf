"""What observers see of operations: frozen details, delivered in isolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import pluggy
from attrs import field, frozen

from isthmus.errors import IsthmusError, OutcomeUnknown, PluginError, Throttled
from isthmus.layers import AsyncStep, Step
from isthmus.logs import log_failure
from isthmus.metrics import OPERATION_DURATION, OPERATION_RETRIES, Metric, recorder, throttled
from isthmus.operations import Operation, TransactWrite
from isthmus.results import Result


@frozen
class Outcome:
    """How one operation ended. It carries no items and no keys.

    :param seconds: time of all layers and retries
    :param error: what the caller got instead of a result. In place of an exception that is no ``IsthmusError``, a
        ``PluginError`` that names its type; in place of a cancellation, an ``OutcomeUnknown``
    """

    kind: str
    tables: tuple[str, ...]
    backend: str
    actor: str | None
    seconds: float
    error: IsthmusError | None = None


@frozen
class Attempt:
    """One failed attempt of an operation.

    :param number: 1 for the first attempt
    :param wait: seconds until the next one; 0 while that is undecided
    :param throttled: how many requests the store turned away because of its load: 0 or 1, or the members of a batch
        that it left over
    """

    kind: str
    tables: tuple[str, ...]
    backend: str
    number: int
    error: IsthmusError
    wait: float = 0.0
    throttled: int = field()

    @throttled.default
    def _throttled(self) -> int:
        return int(isinstance(self.error, Throttled))


class Observers:
    """The observer hooks of one database, resolved once so that an unobserved operation costs nothing."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._completed = implementations(manager, "isthmus_operation_completed")
        self._failed = implementations(manager, "isthmus_operation_failed")
        self._retried = implementations(manager, "isthmus_operation_retried")
        self._metric = implementations(manager, "isthmus_record_metric")
        self._committed = implementations(manager, "isthmus_transaction_committed")
        self._rolled_back = implementations(manager, "isthmus_transaction_rolled_back")

    def wants(self, kind: type[Operation]) -> bool:
        """Whether anybody observes this kind of operation."""
        transaction = issubclass(kind, TransactWrite) and (self._committed or self._rolled_back)
        return bool(self._completed or self._failed or self._metric or transaction)

    def completed(self, operation: Operation, result: Result, outcome: Outcome) -> None:
        """Tell that an operation succeeded."""
        notify(self._completed, outcome)
        self._measure(outcome, "ok")
        if self._committed and isinstance(operation, TransactWrite):
            notify(self._committed, operation, result)

    def failed(self, operation: Operation, error: IsthmusError, outcome: Outcome) -> None:
        """Tell that an operation failed."""
        notify(self._failed, outcome)
        self._measure(outcome, error.code)
        if self._rolled_back and isinstance(operation, TransactWrite):
            notify(self._rolled_back, operation, error)

    def rolled_back(self, transaction: TransactWrite, error: IsthmusError) -> None:
        """Tell that the body of a unit of work raised, so that its transaction was never sent."""
        notify(self._rolled_back, transaction, error)

    def retried(self, attempt: Attempt) -> None:
        """Tell that an attempt will be repeated."""
        notify(self._retried, attempt)
        if self._metric or recorder() is not None:
            labels = {"operation": attempt.kind, "table": ",".join(attempt.tables), "backend": attempt.backend,
                      "error": attempt.error.code}  # fmt: skip
            self.measure(Metric(OPERATION_RETRIES.name, 1.0, labels))
            if attempt.throttled:
                self.measure(throttled(attempt.kind, attempt.tables, attempt.backend, attempt.throttled))

    def measure(self, metric: Metric) -> None:
        """Record a measurement of the core's own, or of a backend's."""
        notify(self._metric, metric)
        record = recorder()
        if record is not None:
            # Like a plugin's observer, whose only argument is the metric: what it raises hurts nobody.
            notify([("recording", record, (0,))], metric)

    def _measure(self, outcome: Outcome, ending: str) -> None:
        if self._metric:
            labels = {"operation": outcome.kind, "table": ",".join(outcome.tables), "backend": outcome.backend,
                      "outcome": ending}  # fmt: skip
            notify(self._metric, Metric(OPERATION_DURATION.name, outcome.seconds, labels))


Implementation = tuple[str, Callable[..., object], tuple[int, ...]]


def implementations(manager: pluggy.PluginManager, hook: str) -> tuple[Implementation, ...]:
    """Name, function and places of the wanted arguments of each implementation, in calling order."""
    caller = getattr(manager.hook, hook)
    places = {name: place for place, name in enumerate(caller.spec.argnames)}
    found = reversed(caller.get_hookimpls())
    return tuple((impl.plugin_name, impl.function, tuple(places[name] for name in impl.argnames)) for impl in found)


def notify(implementations: Sequence[Implementation], *details: object) -> None:
    """Call each observer; one that raises is logged by its plugin's name and hurts nobody."""
    for name, function, wanted in implementations:
        try:
            function(*[details[place] for place in wanted])
        except Exception as error:
            log_failure(f"observer of plugin {name} failed", error)


def observed(step: Step, kind: type[Operation], observers: Observers, backend: str) -> Step:
    """``step``, watched; ``step`` itself when nobody watches."""
    if not observers.wants(kind):
        return step

    def watch(operation: Operation) -> Result:
        started = perf_counter()
        try:
            result = step(operation)
        except BaseException as error:
            _failed(observers, operation, error, backend, started)
            raise
        observers.completed(operation, result, _outcome(operation, backend, started))
        return result

    return watch


def aobserved(step: AsyncStep, kind: type[Operation], observers: Observers, backend: str) -> AsyncStep:
    """The async twin of ``observed``."""
    if not observers.wants(kind):
        return step

    async def watch(operation: Operation) -> Result:
        started = perf_counter()
        try:
            result = await step(operation)
        except BaseException as error:
            _failed(observers, operation, error, backend, started)
            raise
        observers.completed(operation, result, _outcome(operation, backend, started))
        return result

    return watch


def _failed(observers: Observers, operation: Operation, raised: BaseException, backend: str, started: float) -> None:
    error = described(operation, raised)
    observers.failed(operation, error, _outcome(operation, backend, started, error))


def described(operation: Operation, raised: BaseException) -> IsthmusError:
    """What observers are told of an exception that ended an operation; the caller gets the exception itself."""
    if isinstance(raised, IsthmusError):
        return raised
    name = type(raised).__qualname__
    if isinstance(raised, Exception):
        return PluginError(f"a layer raised {name}: see the caller's error", maybe_applied=operation.writes)
    return OutcomeUnknown(f"the caller gave up ({name}) before this {operation.kind} ended",
                          maybe_applied=operation.writes)  # fmt: skip


def _outcome(operation: Operation, backend: str, started: float, error: IsthmusError | None = None) -> Outcome:
    seconds = perf_counter() - started
    return Outcome(operation.kind, operation.table_names, backend, operation.context.actor, seconds, error)
