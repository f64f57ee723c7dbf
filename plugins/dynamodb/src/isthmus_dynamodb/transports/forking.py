"""Transports in forked processes: a child must not touch the connections of its parent."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    """A transport that can begin anew."""

    def forget(self) -> None:
        """Leave all connections to the parent process."""


_OPEN: weakref.WeakSet[Forgetful] = weakref.WeakSet()


def forget_in_children(transport: Forgetful) -> None:
    """Have a transport begin anew in every process that is forked from this one."""
    _OPEN.add(transport)


def _forget_all() -> None:
    for transport in list(_OPEN):
        transport.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
