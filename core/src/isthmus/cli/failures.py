"""Errors as the command line shows them: the API's own, with advice for a shell in place of that for a program."""

from __future__ import annotations

from typing import Any

from isthmus.errors import ConditionFailed, IsthmusError

# What the API advises is a Python call, which is of no use here.
_ADVICE = {
    "already_exists": "leave out --create to replace it",
    "condition_failed": "see the current item",
    "item_not_found": "check the key, or see the table's items with `isthmus scan`",
    "table_not_found": "create it with `isthmus tables create`, or list those there are with `isthmus tables`",
}
_NOTED = "isthmus_cli_details"


def note_details(error: BaseException, **details: Any) -> None:
    """Let an error tell more when it is shown: JSON-ready values by name."""
    vars(error).setdefault(_NOTED, {}).update(details)


def noted_details(error: BaseException) -> dict[str, Any]:
    """What ``note_details`` added."""
    found: dict[str, Any] = vars(error).get(_NOTED, {})
    return found


def error_details(error: IsthmusError) -> dict[str, Any]:
    """An error as data, with the points that some kinds list and the item that a condition was false for."""
    lists = {name: list(getattr(error, name)) for name in ("problems", "differences") if hasattr(error, name)}
    current = {"current": error.current} if isinstance(error, ConditionFailed) else {}
    return {**error.to_dict(), "message": _message(error), **lists, **current, **noted_details(error)}


def _message(error: IsthmusError) -> str:
    """The message; an error without an operation comes from a command, which advises well already."""
    advice = _ADVICE.get(error.code)
    if advice is None or error.operation is None or (isinstance(error, ConditionFailed) and error.current is None):
        return error.message
    statement, colon, _python = error.message.rpartition(": ")
    return f"{statement if colon else error.message}: {advice}"
