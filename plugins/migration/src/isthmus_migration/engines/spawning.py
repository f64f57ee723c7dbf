"""Processes of this machine, started anew and not forked: drivers don't survive a fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from isthmus_migration.engines.watchdog import end_with_parent


def spawned(work: Callable[..., None], *given: Any) -> tuple[SpawnProcess, Connection]:
    """Start a process that calls a function with its end of a pipe and what is given; the process and our end.

    What is given goes through a pipe: it may hold a secret, so it never meets a disk.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_begin, args=(work, theirs, os.getpid(), given), daemon=True)
    try:
        with _interrupts_held_back():
            process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def _begin(work: Callable[..., None], pipe: Connection, parent: int, given: tuple[Any, ...]) -> None:
    """What a process does: work that Ctrl-C does not reach, and that ends with its parent."""
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent(parent)
    work(pipe, *given)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let a new process begin with Ctrl-C held back, until it says itself that it does not care."""
    # It would give Ctrl-C back in the middle of the first start.
    resource_tracker.ensure_running()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def ending(code: int | None) -> str:
    """How a process ended, in words.

    :param code: its exit code, negative for a signal
    """
    return f"with exit code {code}" if code is not None and code >= 0 else f"by signal {-(code or -9)}"
