"""Layers: behaviour around every operation, written once for the sync and the async database.

A layer's ``flow`` is a generator that does no I/O itself. It yields operations to the next inner layer and receives
results, may return without a ``yield``, may raise, and yields ``Blocking`` or ``Sleep`` for what must not hold up an
event loop. Layers are composed once, when a database is opened, into one chain for each kind of operation.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from enum import IntEnum
from inspect import isgeneratorfunction
from typing import Any, ClassVar, TypeVar

from attrs import field, frozen

from isthmus.capabilities import Capabilities
from isthmus.errors import ConditionFailed, IsthmusError, PluginError, TransactionFailed
from isthmus.operations import OPERATIONS, Operation
from isthmus.results import Result
from isthmus.values import Item


class Stage(IntEnum):
    """Where a layer stands, outer to inner."""

    OBSERVE = 100
    AUDIT = 200
    AUTHORIZE = 300
    VALIDATE = 400
    REWRITE = 500
    TRANSFORM = 600
    SEAL = 650
    CACHE = 700


# The first of each pair must stay outside of the second, or one caller could be served another's data.
GUARD_PAIRS = ((Stage.AUTHORIZE, Stage.CACHE), (Stage.SEAL, Stage.CACHE), (Stage.REWRITE, Stage.CACHE))


@frozen
class Blocking:
    """Work that blocks: called in place by the sync driver, in a thread by the async one."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = field(converter=tuple, default=())

    @classmethod
    def call(cls, function: Callable[..., Any], *arguments: Any) -> Blocking:
        """``function(*arguments)``, later."""
        return cls(function, arguments)

    def run(self) -> Any:
        """Do the work here and now."""
        return self.function(*self.arguments)

    async def arun(self) -> Any:
        """Do the work in a thread."""
        return await asyncio.to_thread(self.run)


@frozen
class Sleep:
    """A wait of so many seconds, which holds up nobody else."""

    seconds: float

    def run(self) -> None:
        """Wait in this thread."""
        time.sleep(self.seconds)

    async def arun(self) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(self.seconds)


# The driver checks at run time that a result comes back; `Any` lets flows pass on what a `yield` gave without a cast.
Effect = Blocking | Sleep
Flow = Generator[Operation | Effect, Any, Any]
Step = Callable[[Operation], Result]
AsyncStep = Callable[[Operation], Awaitable[Result]]
S = TypeVar("S")


class Layer(ABC):
    """Base of all layers.

    ``handles`` lists the kinds of operation that the layer wants to see; the others pass it at no cost. ``order`` may
    move a layer inside its surroundings; an order that crosses a guard pair is refused. ``exclusive`` allows one such
    layer only.
    """

    stage: ClassVar[Stage]
    name: str
    handles: tuple[type[Operation], ...] = OPERATIONS
    order: int | None = None
    exclusive: bool = False

    @abstractmethod
    def flow(self, operation: Operation) -> Flow:
        """Handle one operation; see the module's docstring."""

    def concerns(self, operation: Operation) -> bool:
        """Whether ``flow`` would do anything but pass the operation on; those that it would not cost less so."""
        return True

    def capabilities(self, inner: Capabilities) -> Capabilities:
        """The capabilities that remain outside of this layer (rule LYR-1).

        What is unsupported outside of all layers is refused before any of them runs.
        """
        return inner

    @property
    def place(self) -> int:
        """Number by which layers are sorted, outer first."""
        return self.stage if self.order is None else self.order


def map_error_items(error: IsthmusError, function: Callable[[Item], Item]) -> None:
    """Let the items that an error carries go through ``function``; the error itself is changed.

    These are the current item of a failed condition, and those of all reasons of a failed transaction. An error's
    ``key`` is left as it is.
    """
    if isinstance(error, ConditionFailed) and error.current is not None:
        error.current = function(dict(error.current))
    for reason in error.reasons if isinstance(error, TransactionFailed) else ():
        if reason is not None:
            map_error_items(reason, function)


def arrange(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Sort layers outer to inner, ties by name, and check the order.

    :raises PluginError: a guard pair is crossed, an exclusive stage is taken twice, or a flow is no generator function
    """
    given = list(layers)
    for layer in given:
        if not isinstance(layer, Layer):
            raise PluginError(f"isthmus_layers must return layers, not {type(layer).__name__}")
    ordered = tuple(sorted(given, key=lambda layer: (layer.place, layer.name)))
    for layer in ordered:
        if not isgeneratorfunction(layer.flow):
            raise PluginError(f"the flow of layer {layer.name!r} must be a generator function (def with a yield)")
    _check_guards(ordered)
    _check_exclusive(ordered)
    return ordered


def _check_guards(ordered: Sequence[Layer]) -> None:
    for position, outer in enumerate(ordered):
        for inner in ordered[position + 1 :]:
            if (inner.stage, outer.stage) in GUARD_PAIRS:
                raise PluginError(
                    f"layer {inner.name!r} ({inner.stage.name}) must stay outside of layer {outer.name!r} "
                    f"({outer.stage.name}): remove its order"
                )


def _check_exclusive(ordered: Sequence[Layer]) -> None:
    for layer in ordered:
        same = [other.name for other in ordered if other.stage is layer.stage]
        if layer.exclusive and len(same) > 1:
            raise PluginError(f"stage {layer.stage.name} holds one layer only, found {', '.join(same)}: deactivate one")


def compose(layers: Sequence[Layer], innermost: Step) -> Mapping[type[Operation], Step]:
    """The sync chain for each kind of operation."""
    return _chains(layers, innermost, _step)


def acompose(layers: Sequence[Layer], innermost: AsyncStep) -> Mapping[type[Operation], AsyncStep]:
    """The async chain for each kind of operation."""
    return _chains(layers, innermost, _async_step)


def _chains(
    layers: Sequence[Layer],
    innermost: S,
    wrap: Callable[[Layer, type[Operation], Mapping[type[Operation], S]], S],
) -> Mapping[type[Operation], S]:
    steps = dict.fromkeys(OPERATIONS, innermost)
    for layer in reversed(layers):
        inner = steps
        handled = {
            kind: _passing(layer, wrap(layer, kind, inner), inner[kind]) for kind in OPERATIONS if kind in layer.handles
        }
        steps = {**inner, **handled}
    return steps


def _passing(layer: Layer, step: Any, inner: Any) -> Any:
    """A layer's step, which operations pass that do not concern the layer."""
    if type(layer).concerns is Layer.concerns:
        return step
    concerns = layer.concerns
    return lambda operation: step(operation) if concerns(operation) else inner(operation)


def _step(layer: Layer, kind: type[Operation], inside: Mapping[type[Operation], Step]) -> Step:
    """Drive one layer's flow for one kind of operation, synchronously."""
    flow, inner = layer.flow, inside[kind]

    def step(operation: Operation) -> Result:
        generator = flow(operation)
        answer: Any
        try:
            request = generator.send(None)
            while True:
                try:
                    if type(request) is kind:
                        answer = inner(request)
                    elif isinstance(request, Effect):
                        answer = request.run()
                    else:
                        answer = _other(layer, request, inside)(request)
                except BaseException as error:
                    request = generator.throw(error)
                else:
                    request = generator.send(answer)
        except StopIteration as stop:
            return _checked(layer, stop.value)

    return step


def _async_step(layer: Layer, kind: type[Operation], inside: Mapping[type[Operation], AsyncStep]) -> AsyncStep:
    """Drive one layer's flow for one kind of operation on an event loop."""
    flow, inner = layer.flow, inside[kind]

    async def step(operation: Operation) -> Result:
        generator = flow(operation)
        answer: Any
        try:
            request = generator.send(None)
            while True:
                try:
                    if type(request) is kind:
                        answer = await inner(request)
                    elif isinstance(request, Effect):
                        answer = await request.arun()
                    else:
                        answer = await _other(layer, request, inside)(request)
                except BaseException as error:
                    request = generator.throw(error)
                else:
                    request = generator.send(answer)
        except StopIteration as stop:
            return _checked(layer, stop.value)

    return step


def _other(layer: Layer, request: object, inside: Mapping[type[Operation], S]) -> S:
    """The chain for an operation of another kind, so that every inner layer that handles that kind sees it."""
    step = inside.get(type(request))  # type: ignore[arg-type]  # anything may have been yielded
    if step is None:
        raise PluginError(f"the flow of layer {layer.name!r} must yield operations, not {type(request).__name__}")
    return step


def _checked(layer: Layer, result: object) -> Result:
    if isinstance(result, Result):
        return result
    raise PluginError(f"the flow of layer {layer.name!r} must return a result, not {type(result).__name__}")
