"""Observers see what happens, and can't change or break it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import click
import pytest
from cattrs import Converter
from loguru import logger

import isthmus
from isthmus import Backend, Plugin, RetryPolicy, hookimpl
from isthmus import operations as op
from isthmus.cli.extending import collect
from isthmus.errors import IsthmusError, ItemNotFound, Unavailable
from isthmus.health import DatabaseView, HealthCheck
from isthmus.memory import MemoryBackend
from isthmus.metrics import Metric, MetricDescription, recording
from isthmus.observing import Attempt, Outcome
from isthmus.results import Result, TransactWriteResult


class Watching(Plugin):
    """Remembers everything that it is told."""

    name: ClassVar[str] = "watching"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.metrics: list[Metric] = []

    @hookimpl
    def isthmus_database_opened(self, database: DatabaseView) -> None:
        self.seen.append(("opened", database.backend_name))

    @hookimpl
    def isthmus_database_closing(self, database: DatabaseView) -> None:
        self.seen.append(("closing", database.backend_name))

    @hookimpl
    def isthmus_operation_completed(self, outcome: Outcome) -> None:
        self.seen.append(("completed", outcome.kind, *outcome.tables, str(outcome.actor)))

    @hookimpl
    def isthmus_operation_failed(self, outcome: Outcome) -> None:
        assert outcome.error is not None
        self.seen.append(("failed", outcome.kind, outcome.error.code))

    @hookimpl
    def isthmus_operation_retried(self, attempt: Attempt) -> None:
        self.seen.append(("retried", attempt.kind, str(attempt.number), str(attempt.wait)))

    @hookimpl
    def isthmus_record_metric(self, metric: Metric) -> None:
        self.metrics.append(metric)

    @hookimpl
    def isthmus_transaction_committed(self, result: TransactWriteResult) -> None:  # type: ignore[override]  # may leave out arguments
        self.seen.append(("committed", type(result).__name__))

    @hookimpl
    def isthmus_transaction_rolled_back(self, transaction: op.TransactWrite, error: IsthmusError) -> None:
        self.seen.append(("rolled back", str(len(transaction.actions)), error.code))


class Failing(Plugin):
    """Raises in every observer."""

    name: ClassVar[str] = "failing"

    @hookimpl
    def isthmus_operation_completed(self) -> None:  # type: ignore[override]  # may leave out arguments
        raise RuntimeError("a defect of the plugin")

    @hookimpl
    def isthmus_record_metric(self) -> None:  # type: ignore[override]  # may leave out arguments
        raise RuntimeError("a defect of the plugin")

    @hookimpl
    def isthmus_database_closing(self) -> None:  # type: ignore[override]  # may leave out arguments
        raise RuntimeError("a defect of the plugin")

    @hookimpl
    def isthmus_check_health(self) -> Sequence[HealthCheck]:  # type: ignore[override]  # may leave out arguments
        raise RuntimeError("a defect of the plugin")


class Once(MemoryBackend):
    """Its first read fails."""

    failed = False

    def execute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Get) and not self.failed:
            self.failed = True
            raise Unavailable("down")
        return super().execute(operation)


def use_sync(backend: Backend, *plugins: Plugin) -> None:
    """A table, a put, a missing item, a committed and a failed transaction."""
    policy = RetryPolicy(base=0, cap=0)
    with isthmus.connect(backend, plugins=plugins, retry_policy=policy) as database:
        table = database.bind(actor="ann").table("things", partition_key="id")
        table.ensure()
        table.put({"id": "a"})
        with pytest.raises(ItemNotFound):
            table.get(id="b")
        database.transact_write([table.actions.put({"id": "c"})])
        with pytest.raises(IsthmusError):
            database.transact_write([table.actions.create({"id": "c"})])


def use_async(backend: Backend, *plugins: Plugin) -> None:
    """The async twin of `use_sync`."""

    async def use() -> None:
        policy = RetryPolicy(base=0, cap=0)
        async with isthmus.aconnect(backend, plugins=plugins, retry_policy=policy) as database:
            table = database.bind(actor="ann").table("things", partition_key="id")
            await table.ensure()
            await table.put({"id": "a"})
            with pytest.raises(ItemNotFound):
                await table.get(id="b")
            await database.transact_write([table.actions.put({"id": "c"})])
            with pytest.raises(IsthmusError):
                await database.transact_write([table.actions.create({"id": "c"})])

    asyncio.run(use())


Use = Callable[..., None]
both = pytest.mark.parametrize("use", [use_sync, use_async], ids=["sync", "async"])


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(handler)


@both
def test_observers_see_everything(use: Use) -> None:
    """Opening, operations, retries, transactions and closing reach the observers in order, with their details."""
    plugin = Watching()
    use(Once(), plugin)
    seen = [one for one in plugin.seen if one[1] not in ("create_table", "describe_table")]
    assert seen == [
        ("opened", "memory"),
        ("completed", "put", "things", "ann"),
        ("retried", "get", "1", "0.0"),
        ("completed", "get", "things", "ann"),
        ("completed", "transact_write", "things", "None"),
        ("committed", "TransactWriteResult"),
        ("failed", "transact_write", "transaction_failed"),
        ("rolled back", "1", "transaction_failed"),
        ("closing", "memory"),
    ]


@both
def test_metrics(use: Use) -> None:
    """Durations and retries are measured, with labels that hold no values."""
    plugin = Watching()
    use(Once(), plugin)
    labels = [metric.labels for metric in plugin.metrics if metric.name == "isthmus.operation.retries"]
    assert labels == [{"operation": "get", "table": "things", "backend": "memory", "error": "unavailable"}]
    durations = {
        (metric.labels["operation"], metric.labels["outcome"]): metric.value >= 0
        for metric in plugin.metrics
        if metric.name == "isthmus.operation.duration"
    }
    assert durations[("put", "ok")]
    assert durations[("transact_write", "transaction_failed")]


@both
def test_callers_measure_what_their_own_calls_meet(use: Use) -> None:
    """Retries, without any plugin; not what is done outside of the block or in another thread, and no times."""
    seen: list[Metric] = []
    with recording(seen.append):
        other = threading.Thread(target=use, args=(Once(),))
        other.start()
        other.join()
        use(Once())
    use(Once())
    assert [(metric.name, metric.labels["operation"]) for metric in seen] == [("isthmus.operation.retries", "get")]


@both
def test_observer_that_raises_breaks_nothing(use: Use, logged: list[str]) -> None:
    """An observer that raises is logged by its plugin's name; the operation and the other observers go on."""
    plugin = Watching()
    use(MemoryBackend(), Failing(), plugin)
    assert ("completed", "put", "things", "ann") in plugin.seen
    assert plugin.seen[-1] == ("closing", "memory")
    assert [line for line in logged if "observer of plugin failing failed: RuntimeError at " in line]


def test_unobserved_operations_cost_nothing() -> None:
    """Without observers the chain is the layers' own."""
    with isthmus.connect("memory://") as plain, isthmus.connect("memory://", plugins=[Watching()]) as watched:
        names = [database._pipeline.chains[op.Get].__qualname__ for database in (plain, watched)]
    assert ["observed" in name for name in names] == [False, True]


def test_health_of_a_failing_check() -> None:
    """A plugin whose check raises counts as one failed check; the backend's own check stands."""
    with isthmus.connect("memory://", plugins=[Failing()]) as database:
        checks = {check.name: (check.healthy, check.detail) for check in database.health().checks}
    assert checks["backend memory"] == (True, "answers")
    assert checks["failing"] == (False, "the check itself failed: RuntimeError")


def test_health_and_metrics_of_plugins() -> None:
    """Plugins add checks and descriptions of metrics; all healthy means healthy."""

    class Telling(Plugin):
        name: ClassVar[str] = "telling"

        @hookimpl
        def isthmus_check_health(self, database: DatabaseView) -> Sequence[HealthCheck]:
            return [HealthCheck(f"disk of {database.backend_name}", True)]

        @hookimpl
        def isthmus_describe_metrics(self) -> Sequence[MetricDescription]:
            return [MetricDescription("telling.x", "gauge", "1", "a test's")]

    with isthmus.connect("memory://", plugins=[Telling()]) as database:
        health, metrics = database.health(), database.describe_metrics()
    assert ([check.name for check in health.checks], health.healthy) == (["backend memory", "disk of memory"], True)
    assert [metric.name for metric in metrics][-1] == "telling.x"


def test_plugins_register_types() -> None:
    """A plugin teaches the database's converter a type."""

    class Typing(Plugin):
        name: ClassVar[str] = "typing"

        @hookimpl
        def isthmus_register_types(self, converter: Converter) -> None:
            converter.register_unstructure_hook(complex, lambda number: f"{number.real}/{number.imag}")

    with isthmus.connect("memory://", plugins=[Typing()]) as database:
        assert database.converter.unstructure(1 + 2j) == "1.0/2.0"


def test_plugins_register_commands() -> None:
    """A plugin adds a command to the command line."""

    class Commanding(Plugin):
        name: ClassVar[str] = "commanding"

        @hookimpl
        def isthmus_register_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("wave"))

    assert list(collect([Commanding()]).commands) == ["wave"]


@pytest.mark.parametrize("hook", ["isthmus_layers", "isthmus_database_opened"])
def test_failure_while_opening_closes_the_backend(hook: str) -> None:
    """What a plugin raises while the database opens is raised to the caller, and the backend is closed."""
    closed: list[bool] = []

    class Closing(MemoryBackend):
        def close(self) -> None:
            closed.append(True)
            super().close()

    def explode(_self: Plugin) -> Any:
        raise RuntimeError("a defect of the plugin")

    plugin = type("Exploding", (Plugin,), {"name": "exploding", hook: hookimpl(explode)})()
    with pytest.raises(RuntimeError, match="a defect of the plugin"):
        isthmus.connect(Closing(), plugins=[plugin])
    assert closed == [True]
