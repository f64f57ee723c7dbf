"""What no layer offers is refused at the outermost step, before any layer runs."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.capabilities import Capabilities, Capability, Unsupported, refuse
from isthmus.layers import AsyncStep, Step
from isthmus.operations import CreateTable, FindHolder, KeepUnique, Operation, Resolve
from isthmus.results import Result

Refused = Mapping[Capability, Unsupported]
# These describe a backend; no operation asks for them.
_DESCRIPTIVE = frozenset({Capability.DURABLE, Capability.SHARED_BY_PROCESSES, Capability.WIDE_NUMBERS,
                          Capability.CURRENT_ON_FAILURE})  # fmt: skip
# Only these kinds of operations ask for these, so that the others are not looked at for their sake.
_OF_FEW_KINDS: Mapping[type[Operation], Capability] = {
    Resolve: Capability.OPERATION_ID, CreateTable: Capability.UNIQUE_INDEX, KeepUnique: Capability.UNIQUE_INDEX,
    FindHolder: Capability.UNIQUE_INDEX,
}  # fmt: skip


def refused(capabilities: Capabilities) -> Refused:
    """What operations may ask for in vain, with the reasons; empty where there is nothing to look for."""
    hidden = {*_DESCRIPTIVE, *_OF_FEW_KINDS.values()}
    return {name: level for name, level in capabilities.unsupported().items() if name not in hidden}


def refused_for(kind: type[Operation], capabilities: Capabilities) -> Refused:
    """What operations of this kind may ask for in vain."""
    found, own = dict(refused(capabilities)), _OF_FEW_KINDS.get(kind)
    if own is not None:
        found.update((name, level) for name, level in capabilities.unsupported().items() if name is own)
    return found


def guarded(step: Step, levels: Refused, backend: str) -> Step:
    """``step``, for operations that rely on none of these."""

    def guard(operation: Operation) -> Result:
        check(operation, levels, backend)
        return step(operation)

    return guard


def aguarded(step: AsyncStep, levels: Refused, backend: str) -> AsyncStep:
    """The async twin of ``guarded``."""

    async def guard(operation: Operation) -> Result:
        check(operation, levels, backend)
        return await step(operation)

    return guard


def check(operation: Operation, levels: Refused, backend: str) -> None:
    """Refuse an operation that relies on one of these.

    :raises UnsupportedOperation: naming the capability, with the reason
    """
    for capability in operation.requires():
        level = levels.get(capability)
        if level is not None:
            error = refuse(capability, level.reason, backend)
            error.backend, error.operation = backend, operation.kind
            error.table, error.key = ",".join(operation.table_names) or None, getattr(operation, "key", None)
            raise error
