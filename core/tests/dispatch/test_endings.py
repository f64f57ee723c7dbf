"""Observers learn of every ending, and the log shows no values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Any, ClassVar

import pytest
from loguru import logger

import isthmus
from isthmus import Flow, Layer, Plugin, Sleep, Stage, hookimpl
from isthmus import operations as op
from isthmus.errors import Unavailable
from isthmus.health import HealthCheck
from isthmus.memory import MemoryBackend
from isthmus.observing import Outcome
from isthmus.results import Result

SECRET = "canary-51d0"


class Interfering(Layer):
    """Raises, or waits long, when an item is put."""

    name = "interfering"
    stage = Stage.AUTHORIZE
    handles = (op.Put, op.Get)

    def __init__(self, raised: BaseException | None) -> None:
        self.raised = raised

    def flow(self, operation: op.Operation) -> Flow:
        if self.raised is not None:
            raise self.raised
        yield Sleep(60)
        return (yield operation)


class Watching(Plugin):
    """Notes failures, behind a layer that causes them."""

    name: ClassVar[str] = "watching"

    def __init__(self, raised: BaseException | None = None) -> None:
        super().__init__()
        self.layer = Interfering(raised)
        self.failed: list[Outcome] = []

    @hookimpl
    def isthmus_layers(self) -> Sequence[Layer]:  # type: ignore[override]  # may leave out arguments
        return [self.layer]

    @hookimpl
    def isthmus_operation_failed(self, outcome: Outcome) -> None:
        if outcome.kind in ("put", "get"):
            self.failed.append(outcome)

    def seen(self) -> list[tuple[str, str, bool]]:
        """What was noted: kind, code, whether a write may have happened."""
        return [(one.kind, one.error.code, one.error.maybe_applied) for one in self.failed if one.error is not None]


def put_sync(plugin: Plugin) -> None:
    """Put an item."""
    with isthmus.connect("memory://", plugins=[plugin]) as database:
        database.table("things", partition_key="id").ensure().put({"id": SECRET})


def put_async(plugin: Plugin) -> None:
    """The async twin of `put_sync`."""

    async def put() -> None:
        async with isthmus.aconnect("memory://", plugins=[plugin]) as database:
            await (await database.table("things", partition_key="id").ensure()).put({"id": SECRET})

    asyncio.run(put())


both = pytest.mark.parametrize("put", [put_sync, put_async], ids=["sync", "async"])


@both
def test_foreign_exceptions_of_layers_are_observed(put: Callable[[Plugin], None]) -> None:
    """Observers get a plugin error without the exception's text; the caller gets the exception itself."""
    raised = ValueError(SECRET)
    plugin = Watching(raised)
    with pytest.raises(ValueError, match=SECRET) as caught:
        put(plugin)
    assert caught.value is raised
    assert plugin.seen() == [("put", "plugin_error", True)]
    assert [SECRET in str(one.error) for one in plugin.failed] == [False]


@both
def test_interruptions_are_observed(put: Callable[[Plugin], None]) -> None:
    """An interruption by the user ends an operation too."""
    plugin = Watching(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put(plugin)
    assert plugin.seen() == [("put", "outcome_unknown", True)]


@pytest.mark.parametrize(("call", "maybe"), [("put", True), ("get", False)])
def test_cancellations_are_observed(call: str, maybe: bool) -> None:
    """A cancelled operation has an unknown outcome; only a write may have happened."""
    plugin = Watching()

    async def cancel() -> None:
        async with isthmus.aconnect("memory://", plugins=[plugin]) as database:
            table = await database.table("things", partition_key="id").ensure()
            running: Any = table.put({"id": "a"}) if call == "put" else table.get(id="a")
            task = asyncio.ensure_future(running)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    assert plugin.seen() == [(call, "outcome_unknown", maybe)]


class Careless(Plugin):
    """Raises in every hook, with values in the text and in variables."""

    name: ClassVar[str] = "careless"

    @hookimpl
    def isthmus_operation_completed(self, outcome: Outcome) -> None:
        secret = SECRET
        raise ValueError(f"{secret} of {outcome.kind}")

    @hookimpl
    def isthmus_decide_retry(self) -> float | None:  # type: ignore[override]  # may leave out arguments
        raise ValueError(SECRET)

    @hookimpl
    def isthmus_check_health(self) -> Sequence[HealthCheck]:  # type: ignore[override]  # may leave out arguments
        raise ValueError(SECRET)


class Once(MemoryBackend):
    """Its first read fails."""

    failed = False

    def execute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Get) and not self.failed:
            self.failed = True
            raise Unavailable("down")
        return super().execute(operation)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What a sink with loguru's defaults writes, variables and all."""
    text = StringIO()
    handler = logger.add(text, backtrace=True, diagnose=True)
    yield text
    logger.remove(handler)


def test_the_log_shows_no_values(log: StringIO) -> None:
    """A hook that fails is logged with the plugin's name, the type and the place; never with values or texts."""
    with isthmus.connect(Once(), plugins=[Careless()]) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": SECRET, "card": SECRET})
        table.get(id=SECRET)
        database.health()
    text = log.getvalue()
    wanted = ("observer of plugin careless failed", "health check of plugin careless failed",
              "a plugin's hook failed", "ValueError", "test_endings.py:", "isthmus_operation_completed")  # fmt: skip
    assert [part for part in wanted if part not in text] == []
    assert SECRET not in text
