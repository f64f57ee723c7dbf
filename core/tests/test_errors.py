"""Errors travel between processes: they are pickled and copied with everything that they carry."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.errors import (
    ConditionFailed,
    ConfigurationError,
    IsthmusError,
    SchemaMismatch,
    TransactionFailed,
    UnsupportedOperation,
)
from isthmus.jsonlines import BadLine

ARGUMENTS: dict[type[IsthmusError], dict[str, Any]] = {
    TransactionFailed: {"reasons": [None, ConditionFailed("no", current={"id": "a"})]},
    UnsupportedOperation: {"capability": "scan", "reason": "slow"},
    BadLine: {"line": 3},
}


def kinds(base: type[IsthmusError]) -> Iterator[type[IsthmusError]]:
    """A class and all that are derived from it."""
    yield base
    for derived in base.__subclasses__():
        yield from kinds(derived)


OURS = {kind for kind in kinds(IsthmusError) if kind.__module__.startswith("isthmus.")}
KINDS = sorted(OURS, key=lambda kind: kind.__name__)


def state(error: object) -> object:
    """What an error carries, in a form that compares by value."""
    if isinstance(error, tuple):
        return [state(member) for member in error]
    if not isinstance(error, IsthmusError):
        return error
    return type(error), error.args, {name: state(value) for name, value in vars(error).items()}


def test_all_kinds_are_known() -> None:
    """The errors of modules other than the tree's own take part."""
    assert {BadLine, SchemaMismatch, ConfigurationError} < set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy, copy.copy])
def test_errors_are_copied_with_what_they_carry(kind: type[IsthmusError], again: Any) -> None:
    """Message, class, origin and the attributes of each class survive."""
    error = kind("it failed", **ARGUMENTS.get(kind, {}))
    error.backend, error.table, error.key = "memory", "things", {"id": "a"}
    error.retryable = error.maybe_applied = True
    assert state(again(error)) == state(error)
