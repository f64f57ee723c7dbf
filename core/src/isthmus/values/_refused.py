"""How a refused value learns its place in the item without the happy path paying for it."""

from __future__ import annotations

from typing import NoReturn

from isthmus.errors import InvalidValue

_SHOWN = 60


class Refused(Exception):
    """A value can't be portable; each container that it passes on the way out adds its step.

    :param reason: a predicate, such as "is not a finite number", without the value itself
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str | int] = []

    def place(self) -> str:
        """The path from the outermost container, such as ``tags[2].name``."""
        return "".join(_step(step) for step in reversed(self.steps)).removeprefix(".")


def shown(name: str) -> str:
    """A name as it may stand in a message: quoted, ASCII, not too long."""
    return ascii(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isascii() and step.isidentifier() and len(step) <= _SHOWN else f"[{shown(step)}]"


def refuse(refused: Refused, whole: str) -> NoReturn:
    """Raise the public error.

    :param whole: what to call the value when no container is around it
    :raises InvalidValue: always
    """
    subject = f"Attribute {refused.place()}" if refused.steps else whole
    raise InvalidValue(f"{subject} {refused.reason}.") from None
