"""What a process must not share with its parent is forgotten after a fork."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forgetting(Protocol):
    """Something with locks, threads or sockets."""

    def forget(self) -> None:
        """Begin anew: those of the parent process are not ours."""


_HELD: WeakSet[Forgetting] = WeakSet()


def forget_after_fork(one: Forgetting) -> None:
    """Have ``one`` forget what it has in every child process, for as long as it lives."""
    _HELD.add(one)


def _after_fork() -> None:
    for one in list(_HELD):
        one.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
