"""The table of errors."""

from __future__ import annotations

from collections.abc import Iterator

from docs._generate.markdown import code, summary, table
from isthmus.errors import IsthmusError
from isthmus_dynamodb.failures import MEANINGS
from isthmus_migration import errors
from isthmus_mongodb.failures import CODES

_CODE_HEAD = ["code", "error", "retryable", "a write may have been applied", "next step"]


def error_classes(base: type[IsthmusError] = IsthmusError) -> Iterator[type[IsthmusError]]:
    """The core's error classes, each before those that inherit from it."""
    yield base
    for child in base.__subclasses__():
        if child.__module__ == "isthmus.errors":
            yield from error_classes(child)


def error_table() -> str:
    """Every error with its code, its base, its defaults and its meaning."""
    rows = [
        (code(error.__name__), code(error.code), _base(error), _yes(error.retryable), _yes(error.maybe_applied),
         summary(error))
        for error in error_classes()
    ]  # fmt: skip
    return table(["error", "`code`", "is a", "retryable", "maybe applied", "meaning"], rows)


def migration_errors() -> str:
    """The errors that only migrations have."""
    rows = [
        (code(error.__name__), code(error.code), _base(error), summary(error))
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.MigrationError)
    ]
    return table(["error", "`code`", "is a", "meaning"], rows)


def dynamodb_codes() -> str:
    """What the codes of DynamoDB are raised as."""
    rows = sorted((name, meaning.kind, meaning.maybe_applied, meaning.advice) for name, meaning in MEANINGS.items())
    return table(_CODE_HEAD, [_code_row(*row) for row in rows])


def mongodb_codes() -> str:
    """What the codes of MongoDB are raised as."""
    rows = ((code, meaning.kind, meaning.applied, f"the server {meaning.text}") for code, meaning in CODES.items())
    return table([*_CODE_HEAD[:-1], "reason and next step"], [_code_row(*row) for row in rows])


def _code_row(name: object, kind: type[IsthmusError], applied: bool, text: str) -> tuple[str, ...]:
    return code(name), code(kind.__name__), _yes(kind.retryable), _yes(applied), text


def _base(error: type[IsthmusError]) -> str:
    base = error.__bases__[0]
    return "" if base is Exception else code(base.__name__)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
